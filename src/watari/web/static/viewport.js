// From the map's own coordinates to pixels: zoom and pan, within bounds.

const MOST = 40; // largest zoom

/** From the layout's coordinates to pixels: zoom `k`, then a shift. */
export class View {
  constructor() {
    Object.assign(this, { k: 1, tx: 0, ty: 0, width: 1, height: 1 });
  }

  box({ x, y, w, h }) {
    return { x: x * this.k + this.tx, y: y * this.k + this.ty, w: w * this.k, h: h * this.k };
  }

  tile(plan, index) {
    const at = index * 4;
    const { tiles } = plan;
    return this.box({ x: tiles[at], y: tiles[at + 1], w: tiles[at + 2], h: tiles[at + 3] });
  }

  shows({ x, y, w, h }) {
    return x < this.width && y < this.height && x + w > 0 && y + h > 0;
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const k = Math.max(1, Math.min(MOST, this.k * factor));
    this.tx = x - ((x - this.tx) * k) / this.k;
    this.ty = y - ((y - this.ty) * k) / this.k;
    this.k = k;
    this.clamp();
  }

  pan(dx, dy) {
    this.tx += dx;
    this.ty += dy;
    this.clamp();
  }

  clamp() {
    this.tx = Math.min(0, Math.max(this.width * (1 - this.k), this.tx));
    this.ty = Math.min(0, Math.max(this.height * (1 - this.k), this.ty));
  }

  fit() {
    Object.assign(this, { k: 1, tx: 0, ty: 0 });
  }
}

// Where every host's tile lies: the columns of zones and of tiles that make the tiles largest.

export const NEAR = 34; // px; a tile narrower than this is a cell without servers

const ZONE_GAP = 24;
const ZONE_SPACE = 6;
const HEADING = 22;
const TILES = { gap: 6, across: 1, down: 1, heading: 0, gapX: 6, gapY: 6, stretch: 1.25 };
const RACKS = { gap: 1, across: 5, down: 4, heading: 11, gapX: 5, gapY: 1, stretch: 1 };
const NARROW = 560; // px; below it zones stand under one another
const ZONE_MIN = 176; // px; a narrower zone has no room for its heading

/**
 * The layout of a cloud in a box of width × height CSS pixels: `tiles` holds x, y, w, h per host index (four numbers
 * each); `zones` and `racks` are headings. There are racks only where single tiles would be too small for servers.
 */
export function layout(cloud, width, height) {
  const pad = width < NARROW ? 12 : 16;
  const box = { x: pad, y: 0, w: Math.max(1, width - 2 * pad), h: Math.max(1, height - 10) };
  const near = fit(cloud.zones, box, TILES);
  return near.w >= NEAR ? place(cloud, box, near) : place(cloud, box, fit(cloud.zones, box, RACKS));
}

/** Try every number of zone columns and of block columns inside a zone; keep the best tile. */
function fit(zones, box, block) {
  const size = block.across * block.down;
  const blocks = Math.max(1, ...zones.map((zone) => Math.ceil(zone.hosts.length / size)));
  let best = { worth: -1 };
  const most = box.w < NARROW ? 1 : Math.max(1, Math.min(zones.length, Math.floor((box.w + ZONE_GAP) / (ZONE_MIN + ZONE_GAP))));
  for (let across = 1; across <= most; across += 1) {
    const down = Math.ceil(zones.length / across);
    const zoneW = (box.w - (across - 1) * ZONE_GAP) / across;
    const zoneH = (box.h - (down - 1) * ZONE_SPACE) / down - HEADING;
    for (let columns = 1; columns <= blocks; columns += 1) {
      const rows = Math.ceil(blocks / columns);
      const blockW = (zoneW - (columns - 1) * block.gapX) / columns;
      const blockH = (zoneH - (rows - 1) * block.gapY) / rows - block.heading;
      const w = (blockW - (block.across - 1) * block.gap) / block.across;
      const h = (blockH - (block.down - 1) * block.gap) / block.down;
      const tile = { w: Math.min(w, h * 1.7 * block.stretch), h: Math.min(h, w) };
      const worth = w > 0 && h > 0 ? tile.w * tile.h * roundness(tile) : 0;
      if (worth > best.worth) best = { worth, across, columns, rows, zoneW, zoneH, blockW, block, ...tile };
    }
  }
  return best;
}

// A tile reads best at about 4:3; the further from it, the less its area counts.
function roundness({ w, h }) {
  const aspect = w / h / 1.4;
  return Math.sqrt(Math.min(aspect, 1 / aspect));
}

function place(cloud, box, best) {
  const { block } = best;
  const found = { tiles: new Float32Array(cloud.hosts.length * 4), zones: [], racks: [] };
  const blockW = block.across * best.w + (block.across - 1) * block.gap;
  const blockH = block.heading + block.down * best.h + (block.down - 1) * block.gap;
  const stepX = block === RACKS ? Math.max(best.blockW, blockW) + block.gapX : blockW + block.gapX;
  cloud.zones.forEach((zone, n) => {
    const x = box.x + (n % best.across) * (best.zoneW + ZONE_GAP);
    const y = box.y + Math.floor(n / best.across) * (best.zoneH + HEADING + ZONE_SPACE);
    found.zones.push({ zone, x, y, w: best.zoneW, h: HEADING });
    blocks(zone.hosts, block.across * block.down).forEach((hosts, at) => {
      const left = x + (at % best.columns) * stepX;
      const top = y + HEADING + Math.floor(at / best.columns) * (blockH + block.gapY);
      if (block === RACKS) found.racks.push({ x: left, y: top, w: blockW, h: block.heading, hosts });
      hosts.forEach((host, i) => {
        const tileX = left + (i % block.across) * (best.w + block.gap);
        const tileY = top + block.heading + Math.floor(i / block.across) * (best.h + block.gap);
        found.tiles.set([tileX, tileY, best.w, best.h], host.index * 4);
      });
    });
  });
  return { ...found, tileW: best.w, tileH: best.h };
}

/** Hosts in blocks of at most `size`: a rack's hosts together where racks fill such a block at least half. */
function blocks(hosts, size) {
  if (size === 1) return hosts.map((host) => [host]);
  const racks = new Map();
  for (const host of hosts) {
    if (!racks.has(host.rack)) racks.set(host.rack, []);
    racks.get(host.rack).push(host);
  }
  const groups = hosts.length / racks.size >= size / 2 ? [...racks.values()] : [hosts];
  return groups.flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / size) }, (_, i) => group.slice(i * size, (i + 1) * size)));
}

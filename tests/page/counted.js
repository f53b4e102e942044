// Counts the calls that draw on any canvas, in window.calls.
for (const name of ["fillRect", "strokeRect", "fillText", "stroke", "fill"]) {
  const draw = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...how) {
    window.calls = (window.calls ?? 0) + 1;
    return draw.apply(this, how);
  };
}

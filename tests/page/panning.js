// Zoom into the map, wander about, zoom out: time and drawing calls of each frame, and how large the page is.
async () => {
  const canvas = document.getElementById("canvas");
  const box = canvas.getBoundingClientRect();
  const took = [];
  const calls = [];
  let last = performance.now();
  for (let i = 0; i < 40; i += 1) {
    window.calls = 0;
    const where = { clientX: box.x + 300 + 9 * i, clientY: box.y + 200 + 4 * i, bubbles: true, cancelable: true };
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: i < 12 ? -300 : i < 28 ? 0 : 300, ...where }));
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done));
    const now = performance.now();
    took.push(Math.round(now - last));
    calls.push(window.calls);
    last = now;
  }
  took.sort((a, b) => a - b);
  const elements = document.querySelectorAll("*").length;
  return { median_ms: took[20], worst_ms: took[39], most_calls: Math.max(...calls), elements };
}

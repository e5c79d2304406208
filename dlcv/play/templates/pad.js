// Black strokes on a transparent canvas. The value is the drawing as the data URL of a PNG, empty if nothing is drawn.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
pen.lineWidth = 22;
pen.lineCap = pen.lineJoin = "round";
let drawing = false;

function point(event) {
  const frame = canvas.getBoundingClientRect();
  return [
    ((event.clientX - frame.left) * canvas.width) / frame.width,
    ((event.clientY - frame.top) * canvas.height) / frame.height,
  ];
}

function done(value) {
  props.value = value;
  trigger("change");
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  drawing = true;
  pen.beginPath();
  pen.moveTo(...point(event));
  pen.lineTo(...point(event)); // a click is a dot
  pen.stroke();
});
canvas.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  pen.lineTo(...point(event));
  pen.stroke();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, () => {
    if (!drawing) return;
    drawing = false;
    done(canvas.toDataURL());
  });
}
element.querySelector("button").addEventListener("click", () => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  done("");
});

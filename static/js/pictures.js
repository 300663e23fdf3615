// A photo of a phone is several megabytes. Before it is sent it is drawn smaller here, which also shows it at once.
// Where that does not work, the server says what is too large.

const LONGEST_SIDE = 1024;
const ENOUGH_BYTES = 900_000;

async function smaller(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  // A photo has no transparent parts to lose; anything else keeps its kind.
  const kind = file.type === "image/jpeg" ? "image/jpeg" : "image/png";
  let blob = await new Promise((done) => canvas.toBlob(done, kind, 0.88));
  if (blob && blob.size > ENOUGH_BYTES) blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
  return { canvas, blob };
}

for (const form of document.querySelectorAll("form[data-picture]")) {
  const input = form.querySelector('input[type="file"]');
  const shown = form.closest("section").querySelector("[data-picture-shown] .avatar");
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file || !/^image\/(png|jpeg|webp)$/.test(file.type)) return;
    try {
      const { canvas, blob } = await smaller(file);
      if (blob && file.size > ENOUGH_BYTES && input.files[0] === file) {
        const transfer = new DataTransfer();
        transfer.items.add(new File([blob], file.name, { type: blob.type }));
        input.files = transfer.files;
      }
      canvas.className = "size-full object-cover";
      shown?.replaceChildren(canvas);
    } catch {
      // Not a picture this browser can read: it goes as it is, and the answer says what is wrong with it.
    }
  });
}

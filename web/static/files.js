// Files that a page hands over to its reader, or takes from him and names by their digests.

import { b64u, putFile, sha256 } from "./passkey.js";

// Give the reader a file to keep, as if he had downloaded it.
export function handedOver(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// The digest is this browser's own: nobody is asked what it is that will be signed.
export const digestOf = async (file) => b64u(await sha256(new Uint8Array(await file.arrayBuffer())));

// Send a file to a folder of the platform; its name and digest, as a statement names it.
export async function sent(folder, file) {
  const digest = await digestOf(file);
  await putFile(`${folder}${encodeURIComponent(file.name)}`, file);
  return { name: file.name, file: digest };
}

// An expert's answer to a call, signed in the browser by the key at hand or by a passkey.

import { postStatement } from "./passkey.js";
import { showRefusal, showWords } from "./refusals.js";

for (const form of document.querySelectorAll("form[data-answer]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = event.submitter?.value ?? "accepted";
    const reason = form.querySelector("[data-reason]").value.trim();
    if (answer === "declined" && !reason) {
      const english = document.documentElement.lang === "en";
      showWords(form, english ? "Say why you cannot come." : "请填写不能参加的理由。");
      return;
    }
    const buttons = form.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    try {
      await postStatement(form.getAttribute("action"), "draw-answer", {
        call: form.dataset.answer,
        answer,
        reason,
      });
      location.reload();
    } catch (error) {
      for (const button of buttons) button.disabled = false;
      showRefusal(form, error);
    }
  });
}

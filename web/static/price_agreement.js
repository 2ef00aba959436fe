// A price agreed with the only supplier, signed in the browser by everybody it names.
//
//   <form data-offer-price data-project data-lot data-supplier>   makes the record and signs it first
//   <form data-sign-price="{…}">                                  signs the very same words again

import { postStatement } from "./passkey.js";
import { showRefusal } from "./refusals.js";

function offered(form) {
  const group = [];
  for (const line of form.querySelectorAll("[data-member]")) {
    if (!line.querySelector("input[type=checkbox]").checked) continue;
    const title = line.querySelector("[data-title]").value.trim();
    group.push({ person: line.dataset.member, name: line.dataset.name, title });
  }
  const { project, lot, supplier } = form.dataset;
  const price = form.elements.price.value.trim();
  const record = form.elements.record.value.trim();
  return { project, lot, supplier, price, group, record };
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const offers = form.matches("[data-offer-price]");
  if (!offers && !form.matches("[data-sign-price]")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const words = offers ? offered(form) : JSON.parse(form.dataset.signPrice);
    await postStatement(form.getAttribute("action"), "price-agreement", words);
    location.reload();
  } catch (error) {
    showRefusal(form, error);
    button.disabled = false;
  }
});

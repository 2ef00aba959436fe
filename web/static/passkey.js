// Keys in the browser: passkeys, and P-256 keys no script can read, for signing in and for signing.
//
// A statement is signed as DSSE: the bytes covered are its type and its payload, nothing else. The
// private key never leaves the device; what is kept here is a handle that can only be asked to sign.

const KEYS = "keys";
const CURRENT = "sunbid.keyid";
const DSSE = "application/vnd.dsse+json";
const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
const utf8 = new TextEncoder();

// ── bytes ────────────────────────────────────────────────────────────────────────────────────

export const b64 = (bytes) =>
  btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));

export const b64u = (bytes) =>
  b64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

export const unb64u = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) =>
    character.charCodeAt(0),
  );

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

// The one JSON text of a value: sorted names, no spaces.
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value)
      .sort()
      .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
    return `{${members.join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new TypeError("a number that is not whole");
  }
  return JSON.stringify(value);
}

const payloadType = (kind) => `application/vnd.ebid.${kind}.v1+json`;

function pae(type, payload) {
  const kind = utf8.encode(type);
  const head = utf8.encode(`DSSEv1 ${kind.length} ${type} ${payload.length} `);
  const covered = new Uint8Array(head.length + payload.length);
  covered.set(head);
  covered.set(payload, head.length);
  return covered;
}

// ── keys kept in this browser ────────────────────────────────────────────────────────────────

function opened() {
  return new Promise((resolve, reject) => {
    const asking = indexedDB.open("sunbid", 1);
    asking.onupgradeneeded = () => asking.result.createObjectStore(KEYS, { keyPath: "keyid" });
    asking.onsuccess = () => resolve(asking.result);
    asking.onerror = () => reject(asking.error);
  });
}

async function inKeys(mode, act) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const turn = database.transaction(KEYS, mode);
      const asking = act(turn.objectStore(KEYS));
      turn.oncomplete = () => resolve(asking.result);
      turn.onerror = () => reject(turn.error);
      turn.onabort = () => reject(turn.error);
    });
  } finally {
    database.close();
  }
}

export const keysHere = () => inKeys("readonly", (keys) => keys.getAll());

export async function keepKey(record) {
  await inKeys("readwrite", (keys) => keys.put(record));
  localStorage.setItem(CURRENT, record.keyid);
}

async function keyRecord(privateKey, point) {
  const [x, y] = [b64u(point.slice(1, 33)), b64u(point.slice(33))];
  const thumbprint = await sha256(utf8.encode(canonical({ crv: "P-256", kty: "EC", x, y })));
  return { keyid: `p256:${b64u(thumbprint)}`, privateKey, publicKey: b64u(point), capacities: [] };
}

export async function newKey() {
  const pair = await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return keyRecord(pair.privateKey, point);
}

// The key of a PKCS #8 PEM text, which a program made; the browser keeps it so that no script, this
// one included, can read it again.
export async function keyOfPem(text) {
  const found = text.match(/-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/);
  try {
    const secret = Uint8Array.from(atob(found[1].replace(/\s+/g, "")), (one) => one.charCodeAt(0));
    const readable = await crypto.subtle.importKey("pkcs8", secret, CURVE, true, ["sign"]);
    const { x, y } = await crypto.subtle.exportKey("jwk", readable);
    const privateKey = await crypto.subtle.importKey("pkcs8", secret, CURVE, false, ["sign"]);
    return keyRecord(privateKey, Uint8Array.from([4, ...unb64u(x), ...unb64u(y)]));
  } catch {
    throw new Error("这不是未加密的 P-256 私钥文件（PEM）。");
  }
}

async function currentKey() {
  const keyid = localStorage.getItem(CURRENT);
  return keyid === null ? undefined : inKeys("readonly", (keys) => keys.get(keyid));
}

// ── signing ──────────────────────────────────────────────────────────────────────────────────

async function signatureByKey(key, type, payload) {
  const sig = await crypto.subtle.sign(SIGNING, key.privateKey, pae(type, payload));
  return { keyid: key.keyid, sig: b64(sig) };
}

async function signatureByPasskey(type, payload) {
  const found = await navigator.credentials.get({
    publicKey: {
      challenge: await sha256(pae(type, payload)),
      rpId: location.hostname,
      userVerification: "required",
    },
  });
  const packed = canonical({
    authenticator_data: b64u(found.response.authenticatorData),
    client_data_json: b64u(found.response.clientDataJSON),
    signature: b64u(found.response.signature),
  });
  return { keyid: `webauthn:${b64u(found.rawId)}`, sig: b64(utf8.encode(packed)) };
}

// A statement of this kind, dated now, signed by the key at hand or else by a passkey.
export async function signed(kind, payload, key) {
  const type = payloadType(kind);
  const signed_at = new Date().toISOString();
  const bytes = utf8.encode(canonical({ v: `ebid-${kind}/1`, signed_at, ...payload }));
  const signer = key ?? (await currentKey());
  const signature = signer
    ? await signatureByKey(signer, type, bytes)
    : await signatureByPasskey(type, bytes);
  return canonical({ payload: b64(bytes), payloadType: type, signatures: [signature] });
}

export class Problem extends Error {
  constructor(status, body) {
    const grounds = (body.refusals ?? []).map((one) => `${one.reason}（${one.article}）`);
    super(grounds.join("；") || body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.body = body;
  }
}

async function answered(path, init) {
  const answer = await fetch(path, { credentials: "same-origin", ...init });
  const text = await answer.text();
  const body = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Problem(answer.status, body ?? {});
  return body;
}

export const sendJson = (method, path, body) =>
  answered(path, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

export const postJson = (path, body) => sendJson("POST", path, body);

export function putFile(path, file, method = "PUT") {
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  return answered(path, {
    method,
    headers: { ...headers, Accept: "application/json" },
    body: file,
  });
}

export function sendSigned(path, statement, { idempotencyKey } = {}) {
  const headers = { "Content-Type": DSSE, Accept: "application/json" };
  if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
  return answered(path, { method: "POST", headers, body: statement });
}

export async function postStatement(path, kind, payload, { key, ...more } = {}) {
  return sendSigned(path, await signed(kind, payload, key), more);
}

// ── passkeys ─────────────────────────────────────────────────────────────────────────────────

const asDescriptor = (one) => ({ ...one, id: unb64u(one.id) });

function asJson(credential) {
  const response = {};
  for (const name of [
    "clientDataJSON",
    "attestationObject",
    "authenticatorData",
    "signature",
    "userHandle",
  ]) {
    if (credential.response[name]) response[name] = b64u(credential.response[name]);
  }
  if (credential.response.getTransports) {
    response.transports = credential.response.getTransports();
  }
  return {
    id: credential.id,
    rawId: b64u(credential.rawId),
    type: credential.type,
    clientExtensionResults: {},
    response,
  };
}

export async function makePasskey() {
  const options = await postJson("/api/v1/passkeys/registration-options");
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: unb64u(options.challenge),
      user: { ...options.user, id: unb64u(options.user.id) },
      excludeCredentials: (options.excludeCredentials ?? []).map(asDescriptor),
    },
  });
  return postJson("/api/v1/passkeys/registrations", { credential: asJson(credential) });
}

export async function askPasskey() {
  const options = await postJson("/api/v1/passkeys/sign-in-options");
  const credential = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: unb64u(options.challenge),
      allowCredentials: (options.allowCredentials ?? []).map(asDescriptor),
    },
  });
  localStorage.removeItem(CURRENT);
  return postJson("/api/v1/passkeys/sign-ins", { credential: asJson(credential) });
}

export async function signInByKey(key, { organisation, role }) {
  const { challenge } = await postJson("/api/v1/challenges");
  const told = await postStatement(
    "/api/v1/sessions",
    "sign-in",
    { challenge, role, organisation, origin: location.origin },
    { key },
  );
  localStorage.setItem(CURRENT, key.keyid);
  return told;
}

// ── the pages of the gate ────────────────────────────────────────────────────────────────────

function say(text, good = false) {
  const place = document.querySelector("[data-says]");
  place.textContent = text;
  place.className = good ? "note n-ok" : "note n-bad";
  place.hidden = false;
  place.focus();
}

const inWords = (error) =>
  error.name === "NotAllowedError" ? "没有完成身份确认，可以再试一次。" : error.message;

function onAct(element, kind, act) {
  element.addEventListener(kind, async (event) => {
    event.preventDefault();
    const button = event.submitter ?? element;
    button.disabled = true;
    try {
      await act(element);
    } catch (error) {
      say(inWords(error));
    } finally {
      button.disabled = false;
    }
  });
}

function choices(place, capacities, choose) {
  place.replaceChildren();
  for (const one of capacities) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn sec";
    button.textContent = `${one.role_name} · ${one.organisation_name}`;
    onAct(button, "click", () => choose(one));
    const item = document.createElement("li");
    item.append(button);
    place.append(item);
  }
  place.hidden = capacities.length === 0;
  place.querySelector("button")?.focus();
}

const goOn = () => {
  const to = document.querySelector("[data-to]")?.dataset.to ?? "/";
  location.assign(new URL(to, location.origin).pathname + new URL(to, location.origin).search);
};

function gate() {
  const byPasskey = document.querySelector("[data-passkey-sign-in]");
  if (byPasskey) {
    onAct(byPasskey, "click", async () => {
      const { ticket, capacities } = await askPasskey();
      choices(document.querySelector("[data-choices]"), capacities, async (one) => {
        const { organisation, role } = one;
        await postJson("/api/v1/passkeys/choices", { ticket, organisation, role });
        goOn();
      });
    });
  }
  const keys = document.querySelector("[data-keys-here]");
  if (keys) {
    keysHere().then((found) => {
      const known = found.flatMap((key) => key.capacities.map((one) => ({ key, ...one })));
      choices(keys, known, async (one) => {
        await signInByKey(one.key, one);
        goOn();
      });
      document.querySelector("[data-no-keys]").hidden = known.length > 0;
    });
  }
  const bring = document.querySelector("form[data-key-file]");
  if (bring) {
    onAct(bring, "submit", async () => {
      const given = new FormData(bring);
      const key = await keyOfPem(await given.get("key_file").text());
      const [organisation, role] = [given.get("organisation").trim(), given.get("role")];
      await signInByKey(key, { organisation, role });
      const own = await answered("/api/v1/sessions/current", {});
      const chosen = bring.elements.role.selectedOptions[0].textContent.trim();
      const organisation_name = own.organisation.name;
      key.capacities = [{ role, role_name: chosen, organisation, organisation_name }];
      await keepKey(key);
      goOn();
    });
  }
  const make = document.querySelector("[data-passkey-register]");
  if (make) {
    onAct(make, "click", async () => {
      await makePasskey();
      location.reload();
    });
  }
  const registration = document.querySelector("form[data-register]");
  if (registration) onAct(registration, "submit", register);
  for (const card of document.querySelectorAll("form[data-demo-card]")) {
    onAct(card, "submit", async () => {
      const key = await newKey();
      await keepKey(key);
      card.elements.public_key.value = key.publicKey;
      card.submit();
    });
  }
}

async function register(form) {
  const given = new FormData(form);
  const roles = given.getAll("roles").sort();
  if (roles.length === 0) throw new Error("请至少选择一种身份。");
  const key = await newKey();
  const told = await postStatement(
    "/api/v1/registrations",
    "registration",
    {
      uscc: given.get("uscc").trim().toUpperCase(),
      name: given.get("name").trim(),
      region: given.get("region").trim(),
      responsible_person: given.get("responsible_person").trim(),
      roles,
      person: given.get("person").trim(),
      identity_document: given.get("identity_document").trim(),
      public_key: key.publicKey,
    },
    { key },
  );
  key.capacities = roles.map((role) => ({
    role,
    role_name: form
      .querySelector(`[name=roles][value=${role}]`)
      .closest("label")
      .textContent.trim(),
    organisation: told.organisation_id,
    organisation_name: given.get("name").trim(),
  }));
  await keepKey(key);
  await navigator.storage?.persist?.();
  form.reset();
  say("已注册。密钥保存在本浏览器中；交易中心核验后即可办理业务。现在可以登录。", true);
}

if (document.querySelector("[data-gate]")) gate();

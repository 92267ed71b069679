"use strict";
// The key of this session is behind the #, which browsers send to nobody.
const key = location.hash.slice(1);
const $ = (id) => document.getElementById(id);
const shown = {};

function tab(name) {
  for (const each of ["hide", "reveal"]) {
    $(each + "-tab").setAttribute("aria-selected", String(each === name));
    $(each + "-tab").tabIndex = each === name ? 0 : -1;
    $(each + "-panel").hidden = each !== name;
  }
}
for (const [name, other] of [["hide", "reveal"], ["reveal", "hide"]]) {
  $(name + "-tab").addEventListener("click", () => tab(name));
  $(name + "-tab").addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") { tab(other); $(other + "-tab").focus(); }
  });
}

function address(slot, blob) {
  if (shown[slot]) URL.revokeObjectURL(shown[slot]);
  shown[slot] = URL.createObjectURL(blob);
  return shown[slot];
}

function picked(name) {
  const file = $(name).files[0];
  const drop = $(name + "-drop");
  const picture = drop.querySelector("img");
  picture.hidden = true;
  if (!file) return;
  drop.querySelector(".what").textContent = file.name;
  picture.onload = () => { picture.hidden = false; };
  picture.src = address(name, file);
}
for (const name of ["cover", "secret", "stego"]) {
  const drop = $(name + "-drop");
  $(name).addEventListener("change", () => picked(name));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) { $(name).files = event.dataTransfer.files; picked(name); }
  });
}

async function asked(path, wishes, files) {
  const parts = [new Blob([JSON.stringify(wishes)]), ...files];
  const headers = { "X-Key": key, "X-Lengths": parts.map((part) => part.size).join(",") };
  const answer = await fetch(path, { method: "POST", headers, body: new Blob(parts) });
  if (answer.status === 413) throw new Error("The files are too large for this page.\nUse the command line.");
  if (answer.status === 403) throw new Error("This page has no key.\nOpen the address that stegcli ui printed.");
  if (!answer.ok) throw new Error("stegcli answered: " + answer.statusText);
  const told = await answer.json();
  if (told.error) throw new Error(told.error.message + "\n" + told.error.hint);
  return told;
}

async function made(name) {
  const answer = await fetch("/made/" + name, { headers: { "X-Key": key } });
  if (!answer.ok) throw new Error("stegcli has forgotten this file.");
  return answer.blob();
}

async function show(slot, name) { $(slot).src = address(slot, await made(name)); }

async function offer(link, name, file) {
  $(link).href = address(link, await made(name));
  $(link).download = file;
}

function list(id, texts) {
  $(id).replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function told(values) {
  const rows = Object.entries(values).flatMap(([name, value]) => [
    Object.assign(document.createElement("dt"), { textContent: name }),
    Object.assign(document.createElement("dd"), { textContent: value }),
  ]);
  $("figures").replaceChildren(...rows);
}

const decibels = (psnr, ssim) => psnr === null ? "equal" : psnr.toFixed(2) + " dB" + (ssim === null ? "" : ", SSIM " + ssim.toFixed(4));
const size = (sides) => sides.join("×");

async function work(name, run) {
  const status = $(name + "-status");
  status.className = "status";
  status.textContent = name === "hide" ? "Hiding, and revealing again to check it …" : "Looking …";
  $(name).disabled = true;
  try {
    status.textContent = await run();
  } catch (error) {
    status.classList.add("error");
    status.textContent = error.message;
  } finally {
    $(name).disabled = false;
  }
}

function suited() {
  const surviving = $("survive").value !== "";
  $("method").disabled = surviving;
  $("risk").disabled = surviving || $("method").value !== "coded";
}
for (const name of ["method", "survive"]) $(name).addEventListener("change", suited);

const number = (id) => $(id).disabled || $(id).value === "" ? null : Number($(id).value);

$("hide-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("hidden").hidden = true;
  work("hide", async () => {
    const cover = $("cover").files[0], secret = $("secret").files[0];
    if (!cover || !secret) throw new Error("Drop a cover and a secret first.");
    const wishes = {
      method: $("method").value, favor: $("favor").value, passphrase: $("hide-words").value || null,
      target: number("target"), risk: number("risk"), survive: $("survive").value || null,
      cover_name: cover.name, secret_name: secret.name,
    };
    const found = await asked("/hide", wishes, [cover, secret]);
    const figures = found.figures;
    await show("stego-picture", found.stego);
    await show("residual-picture", found.residual);
    $("residual-caption").textContent = "What changed, " + found.amplified + " times as large";
    $("revealed-figure").hidden = !found.revealed;
    if (found.revealed) await show("revealed-picture", found.revealed);
    await offer("save-stego", found.stego, found.name);
    const survives = (figures.survives || []).map((proof) => proof.channel).join(", ");
    told({
      "Stego against cover": decibels(figures.stego_psnr_db, figures.stego_ssim),
      "Revealed against secret": decibels(figures.revealed_psnr_db, figures.revealed_ssim),
      "Cover, secret as hidden": size(figures.cover_size) + ", " + (figures.hidden_size ? size(figures.hidden_size) : figures.secret_bytes + " bytes"),
      "Bits per pixel": figures.bpp.toFixed(2),
      "A detector errs": found.risk === null ? "not measured for this: expect to be found" : found.risk.toFixed(2) + " of the time (0: always finds it, 0.5: guesses)",
      ...(survives && { "Survives": survives + "; tried on this file" }),
      "Who can reveal it": figures.keyed ? "anybody with the passphrase" : "anybody with stegcli",
    });
    list("notices", found.notices);
    $("hidden").hidden = false;
    return "Hidden in " + found.name + ". It was read again and revealed.";
  });
});

$("reveal-form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("found").hidden = true;
  work("reveal", async () => {
    const stego = $("stego").files[0];
    if (!stego) throw new Error("Drop a stego first.");
    const wishes = { passphrase: $("reveal-words").value || null, stego_name: stego.name, search: $("search").checked };
    const found = await asked("/reveal", wishes, [stego]);
    $("secret-picture").hidden = !found.is_picture;
    if (found.is_picture) await show("secret-picture", found.secret);
    $("secret-name").textContent = found.name;
    await offer("save-secret", found.secret, found.name);
    list("found-notices", found.notices);
    $("found").hidden = false;
    return "Revealed " + (found.is_picture ? "a picture of " + size(found.size) : found.name) + ".";
  });
});

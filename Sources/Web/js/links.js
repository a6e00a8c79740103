/** A list of addresses to copy or open. */

import { element, icon, iconButton } from "./dom.js";

const DONE_MILLISECONDS = 1600;

/**
 * @typedef {object} Link
 * @property {string} label
 * @property {string} url
 * @property {boolean} [isDownload]
 */

/**
 * @param {HTMLElement} container is emptied first
 * @param {Link[]} links
 */
export function showLinks(container, links) {
    container.replaceChildren(...links.map(row));
}

/** @param {Link} link */
function row({ label, url, isDownload }) {
    const text = element("span", { className: "link-url", title: url }, url);
    const button = iconButton("copy", `Copy the address: ${label}`, () => void copy(url, text, button));
    const parts = [element("span", { className: "link-label" }, label), text];
    if (isDownload) {
        const properties = { className: "icon-button link-open", href: url, title: `Download: ${label}`, download: "" };
        parts.push(element("a", { ...properties, "aria-label": `Download: ${label}` }, icon("download")));
    }
    return element("div", { className: "link-row" }, ...parts, button);
}

/**
 * @param {string} url
 * @param {HTMLElement} text
 * @param {HTMLElement} button
 */
async function copy(url, text, button) {
    try {
        await navigator.clipboard.writeText(url);
    } catch {
        // Over plain http from another machine there is no clipboard to write to: the address is selected instead,
        // one key press away.
        getSelection()?.selectAllChildren(text);
        return;
    }
    const label = button.getAttribute("aria-label") ?? "";
    button.replaceChildren(icon("check"));
    button.classList.add("is-done");
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => {
        button.replaceChildren(icon("copy"));
        button.classList.remove("is-done");
        button.setAttribute("aria-label", label);
    }, DONE_MILLISECONDS);
}

/** The question before something is lost. */

import { byId, setText } from "./dom.js";

/**
 * @param {string} text what will be gone
 * @returns {Promise<boolean>} whether the answer was yes
 */
export function confirmDeletion(text) {
    const dialog = byId("confirm", HTMLDialogElement);
    setText(byId("confirm-text", HTMLElement), text);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
    });
}

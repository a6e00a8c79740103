/** The menu below the picture in which a viewer chooses the quality, or leaves it to the player. */

import { byId, element, setText } from "./dom.js";

/** @typedef {import("./mse.js").Qualities} Qualities */

/** The menu's word for "leave it to the player"; no address is empty. */
const AUTO = "";

export class QualityMenu {
    #field = byId("quality", HTMLElement);
    #select = byId("quality-select", HTMLSelectElement);

    /** @param {(url: string | null) => void} onSelect null when it is left to the player */
    constructor(onSelect) {
        this.#select.addEventListener("change", () => onSelect(this.#select.value || null));
    }

    /** @param {Qualities} qualities */
    show({ qualities, chosen, playing }) {
        const auto = { url: AUTO, label: chosen === null && playing ? `Auto (${playing})` : "Auto" };
        const wanted = [auto, ...qualities];
        const options = [...this.#select.options];
        const isSame = options.length === wanted.length && options.every(({ value }, index) => value === wanted[index].url);
        // What is the same stays, so that a menu that is open does not close.
        if (isSame) options.forEach((option, index) => setText(option, wanted[index].label));
        else this.#select.replaceChildren(...wanted.map(({ url, label }) => element("option", { value: url }, label)));
        this.#select.value = chosen ?? AUTO;
        this.#field.hidden = qualities.length < 2;
    }

    hide() {
        this.#field.hidden = true;
        this.#select.replaceChildren();
    }
}

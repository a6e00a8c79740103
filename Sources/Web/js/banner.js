/** The line below the header that says what is not working, while it is not. */

import { byId, setText } from "./dom.js";

/** The services' own state says more than a request that failed because of it. */
const SOURCES = /** @type {const} */ (["services", "library"]);

export class Banner {
    #box = byId("banner", HTMLElement);
    #text = byId("banner-text", HTMLElement);
    /** @type {Partial<Record<typeof SOURCES[number], string | null>>} */
    #faults = {};

    /**
     * @param {typeof SOURCES[number]} source who noticed; a new sentence of the same source replaces the old
     * @param {string | null} sentence null when all is well again
     */
    show(source, sentence) {
        this.#faults[source] = sentence;
        const shown = SOURCES.map((name) => this.#faults[name]).find(Boolean) ?? "";
        setText(this.#text, shown);
        this.#box.hidden = !shown;
    }
}

/** What is lost while a service does not answer. */
const LOSSES = {
    metadata: "The metadata service does not answer: the library cannot be shown or changed right now.",
    uploader: "The uploader does not answer: new videos cannot be taken in right now.",
    streaming: "The streaming service does not answer: videos cannot be played right now.",
};

/**
 * @param {import("./api.js").Health} health
 * @returns {string | null} what does not work, in words
 */
export function faultsOf(health) {
    const sentences = Object.entries(health.services)
        .filter(([, service]) => service.status === "unreachable")
        .map(([name]) => LOSSES[/** @type {keyof typeof LOSSES} */ (name)] ?? `The ${name} service does not answer.`);
    return sentences.join(" ") || null;
}

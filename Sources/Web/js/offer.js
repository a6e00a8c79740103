/**
 * What of a master playlist this browser can play. Pure but for asking the browser.
 *
 * A **form** is how picture and sound come: `whole`, both in one stream, or `apart`, the ladder's rungs and one sound beside
 * them. A player changes between the variants of a form while it plays; between forms it has to begin anew.
 */

import { PlaylistError } from "./hls.js";

/** @typedef {import("./hls.js").Master} Master */
/** @typedef {import("./hls.js").Variant} Variant */
/** @typedef {"whole" | "apart"} Form */
/** @typedef {{variant: Variant, form: Form, label: string, type: string}} Choice */
/** @typedef {{choices: Choice[], sound: {url: string, type: string} | null}} Offer */

/**
 * @param {Master} master
 * @param {(type: string) => boolean} isSupported
 * @returns {Offer} at least one choice, the best of each form first
 */
export function offerOf(master, isSupported) {
    /** @type {Choice[]} */
    const choices = [];
    /** @type {Offer["sound"]} */
    let sound = null;
    for (const variant of master.variants) {
        const { picture, audio } = divided(variant.codecs);
        const rendition = master.sounds.find(({ group }) => group === variant.audioGroup);
        if (!variant.audioGroup) {
            const type = mime("video", variant.codecs);
            if (isSupported(type)) choices.push({ variant, form: "whole", label: labelOf(variant, true), type });
        } else if (rendition) {
            const type = mime("video", picture);
            const soundType = mime("audio", audio);
            if (!isSupported(type) || !isSupported(soundType)) continue;
            sound ??= { url: rendition.url, type: soundType };
            choices.push({ variant, form: "apart", label: labelOf(variant, false), type });
        }
    }
    if (choices.length === 0) {
        throw new PlaylistError(`This browser cannot play ${master.variants[0].codecs || "this video"}.`);
    }
    choices.sort((a, b) => a.form.localeCompare(b.form) || b.variant.bandwidth - a.variant.bandwidth);
    return { choices, sound };
}

/**
 * @param {Offer} offer
 * @param {Form} form
 */
export function ofForm(offer, form) {
    return offer.choices.filter((choice) => choice.form === form);
}

/** @param {string} codecs */
function divided(codecs) {
    const all = codecs.split(",").map((codec) => codec.trim());
    const isAudio = (/** @type {string} */ codec) => /^(mp4a|opus|ac-3|ec-3|flac)/i.test(codec);
    return { picture: all.filter((codec) => !isAudio(codec)).join(","), audio: all.filter(isAudio).join(",") };
}

/**
 * @param {string} kind
 * @param {string} codecs
 */
function mime(kind, codecs) {
    return codecs ? `${kind}/mp4; codecs="${codecs}"` : `${kind}/mp4`;
}

/**
 * @param {Variant} variant
 * @param {boolean} isSource
 */
function labelOf({ resolution }, isSource) {
    const [width, height] = resolution.split("x").map(Number);
    const lines = Math.min(width, height);
    if (isSource) return lines > 0 ? `Source, ${lines}p` : "Source";
    return lines > 0 ? `${lines}p` : resolution;
}

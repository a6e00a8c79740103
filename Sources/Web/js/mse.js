/**
 * Plays an HLS stream of CMAF segments through Media Source Extensions, in the quality that the viewer has chosen or that
 * suits the line, and sees what is offered later.
 */

import { choose, Throughput } from "./abr.js";
import { fetchPatiently } from "./fetching.js";
import { parseMaster, parseMedia } from "./hls.js";
import { ofForm, offerOf } from "./offer.js";
import { Playback } from "./playback.js";

/** @typedef {import("./offer.js").Choice} Choice */
/** @typedef {import("./offer.js").Form} Form */
/** @typedef {import("./track.js").Rendition} Rendition */
/** @typedef {{label: string, url: string}} Quality */
/** @typedef {{qualities: Quality[], chosen: string | null, playing: string}} Qualities `chosen` null: it is left to us */

/** How often it is looked whether more is offered: soon at first, then less and less often. */
const LOOK_SECONDS = { first: 2, factor: 1.3, max: 30 };

export class StreamPlayer {
    #video;
    #onRetry;
    #onError;
    #onQualities;
    #closing = new AbortController();
    #throughput = new Throughput();
    #masterURL = "";
    #offer = /** @type {import("./offer.js").Offer} */ ({ choices: [], sound: null });
    /** @type {Map<string, Rendition>} by the address of the playlist */
    #renditions = new Map();
    /** @type {Playback | null} */
    #playback = null;
    /** @type {Form} */
    #form = "whole";
    /** @type {Choice | null} the viewer's; null: by the line */
    #chosen = null;
    /** @type {Choice | null} */
    #playing = null;

    /**
     * @param {HTMLVideoElement} video
     * @param {object} listeners
     * @param {(attempt: number, attempts: number) => void} listeners.onRetry a fetch failed and is tried again
     * @param {(error: Error) => void} listeners.onError playback cannot go on; the player is closed
     * @param {(qualities: Qualities) => void} listeners.onQualities what is offered or playing has changed
     */
    constructor(video, { onRetry, onError, onQualities }) {
        this.#video = video;
        this.#onRetry = onRetry;
        this.#onError = onError;
        this.#onQualities = onQualities;
    }

    /** Whether this browser can play streams by itself. */
    static get isSupported() {
        return typeof MediaSource === "function";
    }

    /**
     * @param {string} masterURL
     * @returns {void} what goes wrong comes by `onError`
     */
    play(masterURL) {
        this.#masterURL = masterURL;
        void this.#begin().catch((error) => this.#fail(error));
    }

    /**
     * @param {string | null} url of a quality, or null to leave it to the player
     */
    select(url) {
        this.#chosen = this.#offer.choices.find(({ variant }) => variant.url === url) ?? null;
        const form = this.#chosen ? this.#chosen.form : this.#bestForm();
        if (form !== this.#form) this.#restart(form);
        else if (this.#chosen && this.#chosen !== this.#playing) this.#playback?.replacePicture();
        this.#tell();
    }

    /** Lets go of the video element, the network and the buffers. */
    close() {
        if (this.#closing.signal.aborted) return;
        this.#closing.abort();
        this.#playback?.close();
    }

    /** @param {Error} error */
    #fail(error) {
        if (this.#closing.signal.aborted) return;
        this.close();
        this.#onError(error);
    }

    async #begin() {
        this.#offer = await this.#look((part, signal) => this.#fetch(part, signal));
        if (this.#closing.signal.aborted) return;
        this.#form = this.#bestForm();
        this.#open();
        void this.#lookAgain();
    }

    /** The ladder's rungs are for many lines; what was uploaded is for those who ask for it, or have nothing else. */
    #bestForm() {
        return ofForm(this.#offer, "apart").length > 0 ? "apart" : "whole";
    }

    #open() {
        const playback = new Playback(this.#video, (error) => this.#fail(error));
        const { sound } = this.#offer;
        const choices = [(/** @type {number} */ buffered) => this.#choosePicture(buffered)];
        if (this.#form === "apart" && sound) choices.push(() => this.#rendition(sound.url, sound.type));
        this.#playback = playback;
        playback.play(choices, (part, signal) => this.#measured(part, signal));
    }

    /**
     * In the other form, from where the viewer is.
     * @param {Form} form
     */
    #restart(form) {
        const { currentTime, paused } = this.#video;
        this.#playback?.close();
        this.#form = form;
        this.#playing = null;
        this.#open();
        const { signal } = this.#closing;
        this.#video.addEventListener("loadedmetadata", () => (this.#video.currentTime = currentTime), { once: true, signal });
        if (!paused) void this.#video.play().catch(() => undefined);
    }

    /** @param {number} bufferedSeconds */
    #choosePicture(bufferedSeconds) {
        const choices = ofForm(this.#offer, this.#form);
        const last = this.#playing?.variant ?? null;
        const variants = choices.map(({ variant }) => variant);
        const best = choose(variants, last, this.#throughput.bitsPerSecond, bufferedSeconds);
        const wanted = this.#chosen ?? /** @type {Choice} */ (choices.find(({ variant }) => variant === best));
        if (wanted !== this.#playing) {
            this.#playing = wanted;
            this.#tell();
        }
        return this.#rendition(wanted.variant.url, wanted.type);
    }

    /**
     * What can be played of a media playlist; loaded once, when it is needed.
     * @param {string} url
     * @param {string} type
     * @returns {Rendition}
     */
    #rendition(url, type) {
        const known = this.#renditions.get(url);
        if (known) return known;
        /** @type {ReturnType<Rendition["load"]> | null} */
        let loading = null;
        const made = { type, load: () => (loading ??= this.#load(url)) };
        this.#renditions.set(url, made);
        return made;
    }

    /** @param {string} url */
    async #load(url) {
        const { signal } = this.#closing;
        const playlist = parseMedia(textOf(await this.#fetch({ url, range: null }, signal)), url);
        return { playlist, init: await this.#fetch(playlist.init, signal) };
    }

    /** @param {(part: import("./hls.js").Part, signal: AbortSignal) => Promise<ArrayBuffer>} fetch */
    async #look(fetch) {
        const url = this.#masterURL;
        const text = textOf(await fetch({ url, range: null }, this.#closing.signal));
        return offerOf(parseMaster(text, url), (type) => MediaSource.isTypeSupported(type));
    }

    /** While a video is being encoded more is offered from time to time. What plays goes on. */
    async #lookAgain() {
        const { signal } = this.#closing;
        for (let seconds = LOOK_SECONDS.first; ; seconds = Math.min(seconds * LOOK_SECONDS.factor, LOOK_SECONDS.max)) {
            await sleep(seconds, signal);
            if (signal.aborted) return;
            try {
                const offer = await this.#look(fetchOnce);
                if (!signal.aborted) this.#accept(offer);
            } catch {
                // What is known is enough to go on.
            }
        }
    }

    /** @param {import("./offer.js").Offer} offer */
    #accept(offer) {
        const known = new Map(this.#offer.choices.map((choice) => [choice.variant.url, choice]));
        const isNew = offer.choices.some(({ variant }) => !known.has(variant.url));
        if (!isNew) return;
        // What is known stays the object that it is: it is compared by that.
        const choices = offer.choices.map((choice) => known.get(choice.variant.url) ?? choice);
        this.#offer = { choices, sound: this.#offer.sound ?? offer.sound };
        this.#tell();
    }

    #tell() {
        if (this.#closing.signal.aborted) return;
        this.#onQualities({
            qualities: this.#offer.choices.map(({ label, variant }) => ({ label, url: variant.url })),
            chosen: this.#chosen?.variant.url ?? null,
            playing: this.#playing?.label ?? "",
        });
    }

    /**
     * @param {import("./hls.js").Part} part
     * @param {AbortSignal} signal
     */
    async #measured(part, signal) {
        const begun = performance.now();
        const bytes = await this.#fetch(part, signal);
        this.#throughput.add(bytes.byteLength, (performance.now() - begun) / 1000);
        this.#reconsider();
        return bytes;
    }

    /** What was uploaded may be more than the line carries, and rungs may have come meanwhile. */
    #reconsider() {
        const form = this.#bestForm();
        const rate = this.#throughput.bitsPerSecond;
        if (this.#chosen || form === this.#form || !this.#playing || rate === null) return;
        if (this.#playing.variant.bandwidth > rate) this.#restart(form);
    }

    /**
     * @param {import("./hls.js").Part} part
     * @param {AbortSignal} signal
     */
    #fetch(part, signal) {
        return fetchPatiently(part, signal, this.#onRetry);
    }
}

/** @param {ArrayBuffer} bytes */
function textOf(bytes) {
    return new TextDecoder().decode(bytes);
}

/**
 * @param {import("./hls.js").Part} part
 * @param {AbortSignal} signal
 */
async function fetchOnce({ url }, signal) {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    return response.arrayBuffer();
}

/**
 * @param {number} seconds
 * @param {AbortSignal} signal ends the wait early
 * @returns {Promise<void>}
 */
function sleep(seconds, signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        signal.addEventListener("abort", () => {
            clearTimeout(timer);
            resolve();
        }, { once: true });
    });
}

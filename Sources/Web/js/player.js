/** The player's dialog: the picture, what it is doing in words, and the video's addresses. */

import * as api from "./api.js";
import { byId, setText } from "./dom.js";
import { ago, bytes, counted, duration } from "./format.js";
import { showLinks } from "./links.js";
import { StreamPlayer } from "./mse.js";
import { mediaError } from "./playback.js";
import { QualityMenu } from "./quality-menu.js";

/** @typedef {import("./api.js").Video} Video */

const NATIVE_TYPE = "application/vnd.apple.mpegurl";
/** A pause shorter than this is not worth a word. */
const BUFFERING_MILLISECONDS = 250;

export class Player {
    #dialog = byId("player", HTMLDialogElement);
    #video = byId("video", HTMLVideoElement);
    #message = byId("player-message", HTMLElement);
    #spinner = byId("player-spinner", HTMLElement);
    #status = byId("player-status", HTMLElement);
    #retry = byId("player-retry", HTMLButtonElement);
    #quality = new QualityMenu((url) => this.#stream?.select(url));
    #config;
    #onClose;
    /** @type {StreamPlayer | null} */
    #stream = null;
    /** Ends everything that belongs to the video that is shown. */
    #showing = new AbortController();
    #bufferingTimer = 0;

    /**
     * @param {import("./api.js").Config} config
     * @param {() => void} onClose
     */
    constructor(config, onClose) {
        this.#config = config;
        this.#onClose = onClose;
        byId("player-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
        this.#dialog.addEventListener("close", () => this.#closed());
        this.#dialog.addEventListener("click", (event) => {
            if (event.target === this.#dialog) this.#dialog.close();
        });
    }

    /**
     * Opens the dialog and plays.
     * @param {string} id
     * @param {Video | undefined} known what the library knows; asked for when it does not
     */
    async show(id, known) {
        this.#stop();
        this.#showing = new AbortController();
        const { signal } = this.#showing;
        if (!this.#dialog.open) this.#dialog.showModal();
        this.#describe(id, known);
        this.#say("Loading…");
        try {
            const video = known ?? (await api.video(id));
            if (signal.aborted) return;
            this.#describe(id, video);
            if (video.status === "active") this.#play(id, signal);
            else this.#complain(unplayable(video));
        } catch (error) {
            if (signal.aborted) return;
            const isFinal = error instanceof api.ApiError && [400, 404].includes(error.status);
            const tryAgain = isFinal ? undefined : () => void this.show(id, known);
            this.#complain(/** @type {Error} */ (error).message, tryAgain);
        }
    }

    close() {
        if (this.#dialog.open) this.#dialog.close();
    }

    #closed() {
        this.#stop();
        document.title = "V-Stack";
        this.#onClose();
    }

    #stop() {
        this.#showing.abort();
        clearTimeout(this.#bufferingTimer);
        this.#stream?.close();
        this.#stream = null;
        this.#quality.hide();
        if (!this.#video.hasAttribute("src")) return;
        this.#video.removeAttribute("src");
        this.#video.load();
    }

    /**
     * @param {string} id
     * @param {Video | undefined} video
     */
    #describe(id, video) {
        const title = video ? video.title || "Untitled" : "Video";
        setText(byId("player-title", HTMLElement), title);
        document.title = video ? `${title.slice(0, 100)} · V-Stack` : "V-Stack";
        const parts = video
            ? [duration(video.duration_sec), bytes(video.size_bytes), counted(video.view_count, "view"),
                ago(video.created_at)]
            : [];
        setText(byId("player-meta", HTMLElement), parts.join(" · "));
        const urls = api.addresses(this.#config, id);
        const isPlayable = video?.status === "active";
        showLinks(byId("player-links", HTMLElement), !isPlayable ? [] : [
            { label: "This page", url: urls.page },
            { label: "HLS", url: urls.master },
            { label: "Manifest", url: urls.manifest },
            { label: "Original file", url: urls.original, isDownload: true },
        ]);
    }

    /**
     * @param {string} id
     * @param {AbortSignal} signal
     */
    #play(id, signal) {
        const { master } = api.addresses(this.#config, id);
        this.#listen(id, signal);
        const fail = (/** @type {Error} */ error) => {
            const position = this.#video.currentTime;
            this.#complain(error.message, () => this.#playAgain(id, position));
        };
        if (StreamPlayer.isSupported) {
            const onRetry = (/** @type {number} */ attempt, /** @type {number} */ attempts) => {
                if (!signal.aborted && this.#isStarved()) {
                    this.#say(`The streaming service does not answer; trying again (${attempt} of ${attempts - 1})…`);
                }
            };
            const onQualities = (/** @type {import("./mse.js").Qualities} */ qualities) => this.#quality.show(qualities);
            this.#stream = new StreamPlayer(this.#video, { onRetry, onError: fail, onQualities });
            this.#stream.play(master);
        } else if (this.#video.canPlayType(NATIVE_TYPE)) {
            this.#video.addEventListener("error", () => fail(mediaError(this.#video.error)), { signal });
            this.#video.src = master;
        } else {
            this.#complain("This browser can play neither Media Source streams nor HLS.");
            return;
        }
        void this.#video.play().catch((error) => {
            // The browser wants a gesture first: the controls are there, and the picture is ready.
            if (!signal.aborted && error.name === "NotAllowedError") this.#say("");
        });
    }

    /**
     * @param {string} id
     * @param {number} position seconds
     */
    #playAgain(id, position) {
        this.#stop();
        this.#showing = new AbortController();
        this.#say("Loading…");
        this.#play(id, this.#showing.signal);
        this.#video.addEventListener(
            "loadedmetadata", () => (this.#video.currentTime = position), { once: true, signal: this.#showing.signal });
    }

    /**
     * @param {string} id
     * @param {AbortSignal} signal
     */
    #listen(id, signal) {
        const on = (/** @type {string} */ event, /** @type {() => void} */ action) =>
            this.#video.addEventListener(event, action, { signal });
        let isCounted = false;
        on("timeupdate", () => {
            if (this.#video.paused || this.#video.seeking || this.#video.currentTime <= 0) return;
            this.#calm();
            if (isCounted) return;
            isCounted = true;
            // A view that is not counted is not worth a word to the viewer.
            void api.countView(id).catch(() => undefined);
        });
        on("waiting", () => this.#buffering());
        on("seeking", () => this.#buffering());
        on("seeked", () => this.#calm());
        on("canplay", () => this.#calm());
        on("ended", () => this.#calm());
    }

    #isStarved() {
        return this.#video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    }

    #buffering() {
        clearTimeout(this.#bufferingTimer);
        this.#bufferingTimer = setTimeout(() => {
            if (this.#isStarved() && !this.#video.ended) this.#say("Buffering…");
        }, BUFFERING_MILLISECONDS);
    }

    #calm() {
        clearTimeout(this.#bufferingTimer);
        if (!this.#isStarved() || this.#video.ended) this.#say("");
    }

    /** @param {string} sentence empty when there is nothing to say */
    #say(sentence) {
        this.#message.classList.remove("is-error");
        this.#message.hidden = !sentence;
        this.#spinner.hidden = false;
        this.#retry.hidden = true;
        setText(this.#status, sentence);
    }

    /**
     * The last word about this attempt: no event of it may say anything after.
     * @param {string} sentence
     * @param {() => void} [tryAgain]
     */
    #complain(sentence, tryAgain) {
        this.#showing.abort();
        clearTimeout(this.#bufferingTimer);
        this.#say(sentence);
        this.#message.classList.add("is-error");
        this.#spinner.hidden = true;
        this.#retry.hidden = !tryAgain;
        this.#retry.onclick = tryAgain ?? null;
    }
}

/** @param {Video} video */
function unplayable(video) {
    switch (video.status) {
        case "failed": return video.error || "This video could not be taken in.";
        case "deleted": return "This video was deleted.";
        default: return "This video is still coming in. It can be played in a moment.";
    }
}

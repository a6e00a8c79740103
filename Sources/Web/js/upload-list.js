/** The drop zone and the list of uploads below it. */

import { byId, element, iconButton, setText } from "./dom.js";
import { bytes } from "./format.js";
import { Upload } from "./upload.js";

/** @typedef {import("./upload.js").UploadState} UploadState */

/** Files that are sent at once; the others wait their turn. */
const SENDING_MAX = 2;

/** @type {Record<UploadState["status"], string>} */
const WORDS = {
    waiting: "Waiting for its turn",
    uploading: "Sending",
    processing: "Looking at the file",
    chunking: "Cutting into chunks",
    registering: "Entering it in the catalog",
    uploading_chunks: "Storing copies of every chunk",
    finalizing: "Publishing",
    completed: "Ready to play",
    failed: "Failed",
    cancelled: "Cancelled",
};

export class UploadList {
    #list = byId("uploads", HTMLUListElement);
    #announcer = byId("upload-announcer", HTMLElement);
    /** @type {Upload[]} */
    #waiting = [];
    #sending = 0;
    #onArrival;

    /** @param {(state: UploadState) => void} onArrival called when a video has entered the library, or is ready */
    constructor(onArrival) {
        this.#onArrival = onArrival;
        this.#listenForFiles();
        window.addEventListener("beforeunload", (event) => {
            if (this.#sending > 0) event.preventDefault();
        });
    }

    #listenForFiles() {
        const zone = byId("drop-zone", HTMLElement);
        const input = byId("file-input", HTMLInputElement);
        input.addEventListener("change", () => {
            this.#add(input.files);
            input.value = "";
        });
        // The whole window takes a drop: a file that misses the zone must not replace the page.
        window.addEventListener("dragover", (event) => {
            event.preventDefault();
            zone.classList.add("is-over");
        });
        window.addEventListener("dragleave", (event) => {
            if (!event.relatedTarget) zone.classList.remove("is-over");
        });
        window.addEventListener("drop", (event) => {
            event.preventDefault();
            zone.classList.remove("is-over");
            this.#add(event.dataTransfer?.files);
        });
    }

    /** @param {FileList | null | undefined} files */
    #add(files) {
        for (const file of files ?? []) {
            const title = file.name.replace(/\.[^.]{1,5}$/, "") || file.name;
            this.#waiting.push(this.#row(file, title));
        }
        this.#sendNext();
    }

    #sendNext() {
        while (this.#sending < SENDING_MAX && this.#waiting.length > 0) {
            const upload = /** @type {Upload} */ (this.#waiting.shift());
            this.#sending += 1;
            void upload.send().finally(() => {
                this.#sending -= 1;
                this.#sendNext();
            });
        }
    }

    /**
     * @param {File} file
     * @param {string} title
     * @returns {Upload}
     */
    #row(file, title) {
        const name = element("p", { className: "upload-title", title }, title);
        const status = element("p", { className: "upload-status" }, WORDS.waiting);
        const percent = element("span", { className: "upload-percent" });
        const fill = element("div", { className: "upload-fill" });
        const bar = element(
            "div",
            { className: "upload-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
        bar.setAttribute("aria-label", `Upload of ${title}`);
        const dismiss = iconButton("close", `Cancel ${title}`, () => {
            upload.cancel();
            row.remove();
        });
        const actions = element("div", { className: "upload-actions" }, percent, dismiss);
        const row = element("li", { className: "upload" }, name, status, actions, bar);
        let lastStatus = "waiting";

        const upload = new Upload(file, title, (state) => {
            const whole = Math.floor(state.progress);
            row.dataset.status = state.status;
            setText(percent, `${whole} %`);
            setText(status, this.#sentence(state, file));
            bar.setAttribute("aria-valuenow", String(whole));
            bar.setAttribute("aria-valuetext", `${WORDS[state.status]}, ${whole} percent`);
            fill.style.setProperty("--progress", String(state.progress));
            if (state.status === lastStatus) return;
            lastStatus = state.status;
            this.#changed(state, title, row, dismiss);
        });
        this.#list.prepend(row);
        return upload;
    }

    /**
     * @param {UploadState} state
     * @param {File} file
     * @returns {string}
     */
    #sentence(state, file) {
        if (state.status === "failed") return state.error ?? WORDS.failed;
        if (state.status !== "uploading") return WORDS[state.status];
        return `${WORDS.uploading} · ${bytes(state.sentBytes)} of ${bytes(file.size)}`;
    }

    /**
     * @param {UploadState} state
     * @param {string} title
     * @param {HTMLElement} row
     * @param {HTMLElement} dismiss
     */
    #changed(state, title, row, dismiss) {
        const reason = state.status === "failed" ? `: ${state.error}` : "";
        setText(this.#announcer, `${title}: ${WORDS[state.status]}${reason}`);
        const isStoppable = state.status === "waiting" || state.status === "uploading";
        const label = isStoppable ? `Cancel ${title}` : `Remove ${title} from this list`;
        dismiss.setAttribute("aria-label", label);
        dismiss.title = label;
        if (state.status === "completed" && state.videoId) {
            const href = `#/watch/${encodeURIComponent(state.videoId)}`;
            const play = element("a", { className: "button primary upload-play", href }, "Play");
            play.setAttribute("aria-label", `Play ${title}`);
            row.querySelector(".upload-percent")?.replaceWith(play);
        }
        if (!isStoppable) this.#onArrival(state);
    }
}

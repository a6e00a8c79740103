/**
 * One upload: the file goes out by XMLHttpRequest (fetch has no progress for what is sent), then the service is asked
 * how it gets on until the video is ready or has failed.
 *
 * @typedef {object} UploadState
 * @property {"waiting" | "uploading" | "processing" | "chunking" | "registering" | "uploading_chunks" | "finalizing"
 *     | "completed" | "failed" | "cancelled"} status the service's own words, and `waiting` and `cancelled`
 * @property {number} progress percent, 0 to 100; it never goes back
 * @property {number} sentBytes
 * @property {string | null} error
 * @property {string | null} videoId
 */

import { ApiError, detailOf, uploadStatus } from "./api.js";

/** Sending is the first tenth of the way; the service counts from there. */
const SENDING_PERCENT = 10;
const POLL_MILLISECONDS = 400;
/** How long the service may be out of reach before an upload counts as lost. */
const SILENCE_MILLISECONDS_MAX = 120_000;

export class Upload {
    /** @type {XMLHttpRequest | null} */
    #request = null;
    /** @type {UploadState} */
    #state = { status: "waiting", progress: 0, sentBytes: 0, error: null, videoId: null };
    #onChange;

    /**
     * @param {File} file
     * @param {string} title
     * @param {(state: UploadState) => void} onChange
     */
    constructor(file, title, onChange) {
        this.file = file;
        this.title = title;
        this.#onChange = onChange;
    }

    get state() {
        return this.#state;
    }

    /** Sends the file. Resolves when it is sent, refused or cancelled; what happens then comes by `onChange`. */
    async send() {
        if (this.#state.status !== "waiting") return;
        this.#update({ status: "uploading" });
        try {
            const session = await this.#transfer();
            this.#update({ status: "processing", progress: SENDING_PERCENT, sentBytes: this.file.size });
            void this.#follow(session);
        } catch (error) {
            if (this.#state.status !== "cancelled") this.#fail(/** @type {Error} */ (error).message);
        }
    }

    /** Stops sending. A file that is sent already goes its way. */
    cancel() {
        if (!["waiting", "uploading"].includes(this.#state.status)) return;
        this.#update({ status: "cancelled" });
        this.#request?.abort();
    }

    /** @returns {Promise<string>} the session's id */
    #transfer() {
        const form = new FormData();
        // The title first: the service knows it before the file's first byte.
        form.append("title", this.title);
        form.append("video", this.file);
        return new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            this.#request = request;
            request.upload.onprogress = (event) => {
                const share = event.total ? event.loaded / event.total : 0;
                const sentBytes = Math.round(share * this.file.size);
                this.#update({ progress: share * SENDING_PERCENT, sentBytes });
            };
            request.onload = () => {
                if (request.status < 200 || request.status > 299) {
                    reject(new Error(detailOf(request.responseText, `The upload was refused (${request.status}).`)));
                    return;
                }
                const session = Upload.#sessionOf(request.responseText);
                if (session) resolve(session);
                else reject(new Error("The upload was answered with something unexpected."));
            };
            request.onerror = () => reject(new Error("The connection broke while the file was being sent."));
            request.onabort = () => reject(new Error("cancelled"));
            request.open("POST", "/api/upload");
            request.send(form);
        });
    }

    /**
     * @param {string} text
     * @returns {string | null}
     */
    static #sessionOf(text) {
        try {
            const session = JSON.parse(text)?.upload_session_id;
            return typeof session === "string" ? session : null;
        } catch {
            return null;
        }
    }

    /** @param {string} session */
    async #follow(session) {
        let heardAt = performance.now();
        for (;;) {
            await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
            try {
                const report = await uploadStatus(session);
                heardAt = performance.now();
                if (report.status === "failed") return this.#fail(report.error || "The service could not take it in.");
                this.#update({
                    status: /** @type {UploadState["status"]} */ (report.status),
                    progress: report.status === "completed" ? 100 : report.progress,
                    videoId: report.video_id,
                });
                if (report.status === "completed") return;
            } catch (error) {
                if (error instanceof ApiError && error.status === 404) {
                    return this.#fail("The service no longer knows this upload: it may have been restarted.");
                }
                if (performance.now() - heardAt > SILENCE_MILLISECONDS_MAX) {
                    return this.#fail("The service has not answered for two minutes; the library shows what arrived.");
                }
            }
        }
    }

    /** @param {string} reason */
    #fail(reason) {
        this.#update({ status: "failed", error: reason });
    }

    /** @param {Partial<UploadState>} change */
    #update(change) {
        const progress = Math.max(this.#state.progress, change.progress ?? 0);
        this.#state = { ...this.#state, ...change, progress };
        this.#onChange(this.#state);
    }
}

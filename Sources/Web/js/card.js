/** One video in the library. */

import { element, icon, iconButton, setText } from "./dom.js";
import { ago, bytes, counted, duration, spokenDuration } from "./format.js";

/** @typedef {import("./api.js").Video} Video */

/** A thumbnail comes soon after the video, or not at all. */
const THUMBNAIL_MILLISECONDS_MAX = 60_000;

const BADGES = { uploading: "Uploading", failed: "Failed" };

export class Card {
    #title = element("h3", { className: "card-title" });
    #meta = element("p", { className: "card-meta" });
    #error = element("p", { className: "card-error" });
    #thumb = element("div", { className: "thumb" }, icon("film"));
    #badge = element("span", { className: "badge" });
    #length = element("span", { className: "pill" });
    #play = element("span", { className: "thumb-play" }, icon("play"));
    #delete;
    #thumbnailURL;
    /** @type {HTMLElement | null} */
    #picture = null;
    #shown = "";
    /** From when on a playable video without a thumbnail is not expected to get one. */
    #thumbnailDeadline = 0;

    /**
     * @param {Video} video
     * @param {string} thumbnailURL
     * @param {(video: Video) => void} onDelete
     */
    constructor(video, thumbnailURL, onDelete) {
        this.video = video;
        this.#thumbnailURL = thumbnailURL;
        this.#delete = iconButton("trash", "", () => onDelete(this.video), "danger card-delete");
        const body = element("div", {}, this.#title, this.#meta, this.#error);
        this.#thumb.append(this.#play, this.#badge, this.#length);
        const parts = [this.#thumb, element("div", { className: "card-body" }, body, this.#delete)];
        this.element = element("li", { className: "card", dataset: { videoId: video.video_id } }, ...parts);
        this.update(video);
    }

    /** Whether more of the video is on its way, so that another look is due soon. */
    get isUnfinished() {
        if (this.video.status !== "active") return this.video.status === "uploading";
        return !this.video.has_thumbnail && performance.now() < this.#thumbnailDeadline;
    }

    focus() {
        const target = this.#title.querySelector("a") ?? this.#delete;
        target.focus();
    }

    /** @param {Video} video */
    update(video) {
        this.video = video;
        if (video.status === "active") this.#thumbnailDeadline ||= performance.now() + THUMBNAIL_MILLISECONDS_MAX;
        setText(this.#meta, this.#metaText());
        // Everything else is touched only when it changes, so that focus and selection stay.
        const shown = JSON.stringify([video.title, video.status, video.duration_sec, video.error, video.has_thumbnail]);
        if (shown === this.#shown) return;
        this.#shown = shown;
        this.#showTitle();
        this.#showState();
        this.#showPicture();
    }

    #metaText() {
        const { status, view_count, size_bytes, created_at } = this.video;
        const parts = [ago(created_at)];
        if (size_bytes > 0) parts.unshift(bytes(size_bytes));
        if (status === "active") parts.unshift(counted(view_count, "view"));
        return parts.filter(Boolean).join(" · ");
    }

    #showTitle() {
        const { video_id, title, status, duration_sec } = this.video;
        const shown = title || "Untitled";
        this.#title.title = shown.slice(0, 500);
        this.#delete.setAttribute("aria-label", `Delete ${shown.slice(0, 100)}`);
        this.#delete.title = "Delete";
        if (status !== "active") {
            this.#title.replaceChildren(shown);
            return;
        }
        const link = this.#title.querySelector("a") ?? element("a");
        link.setAttribute("href", `#/watch/${encodeURIComponent(video_id)}`);
        link.setAttribute("aria-label", `Play ${shown.slice(0, 200)}, ${spokenDuration(duration_sec)}`);
        setText(link, shown);
        if (!link.isConnected) this.#title.replaceChildren(link);
    }

    #showState() {
        const { status, error, duration_sec } = this.video;
        const badge = status === "uploading" || status === "failed" ? BADGES[status] : "";
        this.element.dataset.status = status;
        this.#badge.dataset.status = status;
        this.#badge.hidden = !badge;
        setText(this.#badge, badge);
        this.#play.hidden = status !== "active";
        this.#length.hidden = !(duration_sec > 0);
        this.#length.setAttribute("aria-hidden", "true");
        setText(this.#length, duration(duration_sec));
        this.#error.hidden = status !== "failed";
        setText(this.#error, status === "failed" ? error || "It could not be taken in." : "");
        this.#error.title = this.#error.textContent ?? "";
    }

    #showPicture() {
        const isWanted = this.video.has_thumbnail && this.video.status === "active";
        if (!isWanted || this.#picture) return;
        const picture = element("img", { alt: "", loading: "lazy", decoding: "async" });
        // The placeholder stays when there is no picture after all.
        picture.addEventListener("error", () => picture.remove());
        this.#picture = picture;
        this.#thumb.querySelector(".icon")?.after(picture);
        picture.setAttribute("src", this.#thumbnailURL);
    }
}

/** Puts the page together: what is shown, what keeps it fresh, and which video the address names. */

import * as api from "./api.js";
import { Banner, faultsOf } from "./banner.js";
import { confirmDeletion } from "./confirm.js";
import { Library } from "./library.js";
import { NodeStrip } from "./nodes.js";
import { Player } from "./player.js";
import { UploadList } from "./upload-list.js";

const SYSTEM_MILLISECONDS = 5_000;
const CONFIG_RETRY_MILLISECONDS = 2_000;

const banner = new Banner();
const nodes = new NodeStrip();

/** @returns {Promise<api.Config>} tried until the site answers */
async function configuration() {
    for (;;) {
        try {
            const config = await api.config();
            banner.show("services", null);
            return config;
        } catch (error) {
            banner.show("services", /** @type {Error} */ (error).message);
            await new Promise((resolve) => setTimeout(resolve, CONFIG_RETRY_MILLISECONDS));
        }
    }
}

/**
 * @param {api.Video} video
 * @returns {Promise<boolean>} whether it is gone
 */
async function deleteVideo(video) {
    const title = (video.title || "Untitled").slice(0, 200);
    if (!(await confirmDeletion(`“${title}” and every stored copy of it will be gone for good.`))) return false;
    try {
        await api.deleteVideo(video.video_id);
    } catch (error) {
        if (!(error instanceof api.ApiError) || error.status !== 404) {
            banner.show("library", `The video could not be deleted: ${/** @type {Error} */ (error).message}`);
            return false;
        }
    }
    return true;
}

/** @param {Library} library */
async function refreshSystem(library) {
    if (document.hidden) return;
    const [health, stats] = await Promise.allSettled([api.health(), api.stats()]);
    banner.show("services", health.status === "fulfilled" ? faultsOf(health.value) : health.reason.message);
    const known = stats.status === "fulfilled" ? stats.value : null;
    nodes.show(known);
    library.showTotal(known ? known.total_videos : null);
}

/** @returns {string | null} the video that the address names */
function watchedVideo() {
    const match = location.hash.match(/^#\/watch\/([0-9A-Za-z-]+)$/);
    return match ? match[1] : null;
}

const config = await configuration();
const library = new Library(config, (fault) => banner.show("library", fault), deleteVideo);
const player = new Player(config, () => {
    // Closing the player is leaving its address; the page stays where it is.
    if (watchedVideo()) history.pushState(null, "", "/");
    void library.refresh();
});
new UploadList(() => {
    void library.refresh();
    void refreshSystem(library);
});

function followAddress() {
    const id = watchedVideo();
    if (id) void player.show(id, library.find(id));
    else player.close();
}

window.addEventListener("hashchange", followAddress);
window.addEventListener("popstate", followAddress);
followAddress();
void library.refresh();

async function keepSystemFresh() {
    await refreshSystem(library);
    setTimeout(keepSystemFresh, SYSTEM_MILLISECONDS);
}
void keepSystemFresh();

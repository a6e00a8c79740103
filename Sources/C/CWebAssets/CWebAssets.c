#include "CWebAssets.h"

// #embed (C23) puts a file's bytes into the object, and the compiler names the file as a dependency, so that an edit
// is seen by the next build. Clang has it in every C mode, with a warning.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char index_html[] = {
#embed "../../Web/index.html"
};
static const unsigned char consensus_html[] = {
#embed "../../Web/consensus.html"
};
static const unsigned char icon_svg[] = {
#embed "../../Web/icon.svg"
};
static const unsigned char icons_svg[] = {
#embed "../../Web/icons.svg"
};
static const unsigned char css_base_css[] = {
#embed "../../Web/css/base.css"
};
static const unsigned char css_consensus_css[] = {
#embed "../../Web/css/consensus.css"
};
static const unsigned char css_library_css[] = {
#embed "../../Web/css/library.css"
};
static const unsigned char css_page_css[] = {
#embed "../../Web/css/page.css"
};
static const unsigned char css_player_css[] = {
#embed "../../Web/css/player.css"
};
static const unsigned char css_upload_css[] = {
#embed "../../Web/css/upload.css"
};
static const unsigned char js_abr_js[] = {
#embed "../../Web/js/abr.js"
};
static const unsigned char js_api_js[] = {
#embed "../../Web/js/api.js"
};
static const unsigned char js_app_js[] = {
#embed "../../Web/js/app.js"
};
static const unsigned char js_banner_js[] = {
#embed "../../Web/js/banner.js"
};
static const unsigned char js_card_js[] = {
#embed "../../Web/js/card.js"
};
static const unsigned char js_chunk_view_js[] = {
#embed "../../Web/js/chunk-view.js"
};
static const unsigned char js_confirm_js[] = {
#embed "../../Web/js/confirm.js"
};
static const unsigned char js_consensus_js[] = {
#embed "../../Web/js/consensus.js"
};
static const unsigned char js_dom_js[] = {
#embed "../../Web/js/dom.js"
};
static const unsigned char js_fetching_js[] = {
#embed "../../Web/js/fetching.js"
};
static const unsigned char js_format_js[] = {
#embed "../../Web/js/format.js"
};
static const unsigned char js_hls_js[] = {
#embed "../../Web/js/hls.js"
};
static const unsigned char js_library_js[] = {
#embed "../../Web/js/library.js"
};
static const unsigned char js_links_js[] = {
#embed "../../Web/js/links.js"
};
static const unsigned char js_message_timeline_js[] = {
#embed "../../Web/js/message-timeline.js"
};
static const unsigned char js_mse_js[] = {
#embed "../../Web/js/mse.js"
};
static const unsigned char js_nodes_js[] = {
#embed "../../Web/js/nodes.js"
};
static const unsigned char js_offer_js[] = {
#embed "../../Web/js/offer.js"
};
static const unsigned char js_playback_js[] = {
#embed "../../Web/js/playback.js"
};
static const unsigned char js_player_js[] = {
#embed "../../Web/js/player.js"
};
static const unsigned char js_quality_menu_js[] = {
#embed "../../Web/js/quality-menu.js"
};
static const unsigned char js_scenario_js[] = {
#embed "../../Web/js/scenario.js"
};
static const unsigned char js_timeline_js[] = {
#embed "../../Web/js/timeline.js"
};
static const unsigned char js_track_js[] = {
#embed "../../Web/js/track.js"
};
static const unsigned char js_upload_list_js[] = {
#embed "../../Web/js/upload-list.js"
};
static const unsigned char js_upload_js[] = {
#embed "../../Web/js/upload.js"
};

#define ASSET(path, name) {path, name, sizeof name}

static const CWebAsset assets[] = {
    ASSET("index.html", index_html),
    ASSET("consensus.html", consensus_html),
    ASSET("icon.svg", icon_svg),
    ASSET("icons.svg", icons_svg),
    ASSET("css/base.css", css_base_css),
    ASSET("css/consensus.css", css_consensus_css),
    ASSET("css/library.css", css_library_css),
    ASSET("css/page.css", css_page_css),
    ASSET("css/player.css", css_player_css),
    ASSET("css/upload.css", css_upload_css),
    ASSET("js/abr.js", js_abr_js),
    ASSET("js/api.js", js_api_js),
    ASSET("js/app.js", js_app_js),
    ASSET("js/banner.js", js_banner_js),
    ASSET("js/card.js", js_card_js),
    ASSET("js/chunk-view.js", js_chunk_view_js),
    ASSET("js/confirm.js", js_confirm_js),
    ASSET("js/consensus.js", js_consensus_js),
    ASSET("js/dom.js", js_dom_js),
    ASSET("js/fetching.js", js_fetching_js),
    ASSET("js/format.js", js_format_js),
    ASSET("js/hls.js", js_hls_js),
    ASSET("js/library.js", js_library_js),
    ASSET("js/links.js", js_links_js),
    ASSET("js/message-timeline.js", js_message_timeline_js),
    ASSET("js/mse.js", js_mse_js),
    ASSET("js/nodes.js", js_nodes_js),
    ASSET("js/offer.js", js_offer_js),
    ASSET("js/playback.js", js_playback_js),
    ASSET("js/player.js", js_player_js),
    ASSET("js/quality-menu.js", js_quality_menu_js),
    ASSET("js/scenario.js", js_scenario_js),
    ASSET("js/timeline.js", js_timeline_js),
    ASSET("js/track.js", js_track_js),
    ASSET("js/upload-list.js", js_upload_list_js),
    ASSET("js/upload.js", js_upload_js),
};

const CWebAsset *cwebassets_all(size_t *count) {
    *count = sizeof assets / sizeof assets[0];
    return assets;
}

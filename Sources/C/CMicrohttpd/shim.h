#ifndef VSTACK_CMICROHTTPD_SHIM_H
#define VSTACK_CMICROHTTPD_SHIM_H
#include <microhttpd.h>
#include <sys/socket.h>

// MHD_start_daemon, MHD_set_response_options and MHD_get_connection_info are variadic, which Swift cannot call: one typed
// function each.

static inline struct MHD_Daemon *vstack_mhd_start(unsigned int flags, uint16_t port, MHD_AccessHandlerCallback handler,
                                                  void *context, const struct MHD_OptionItem *options) {
    return MHD_start_daemon(flags, port, NULL, NULL, handler, context, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/// The response is not sent in chunks; where its length is unknown, the connection's end is its end.
static inline void vstack_mhd_end_with_connection(struct MHD_Response *response) {
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

/// What `MHD_OPTION_NOTIFY_CONNECTION` stored for the connection.
static inline void *vstack_mhd_socket_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static inline size_t vstack_mhd_header_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

static inline int vstack_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}
#endif

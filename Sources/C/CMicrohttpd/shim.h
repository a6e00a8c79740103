#ifndef VSTACK_CMICROHTTPD_SHIM_H
#define VSTACK_CMICROHTTPD_SHIM_H
#include <microhttpd.h>
#include <sys/socket.h>
#endif

#ifndef VSTACK_COPENSSL_SHIM_H
#define VSTACK_COPENSSL_SHIM_H
// SHA256_Init and its companions are marked deprecated, but are the only interface that needs no heap.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#endif

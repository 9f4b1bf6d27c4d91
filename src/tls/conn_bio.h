/*
 * tls/conn_bio.h: where OpenSSL reads and writes: memory of tls/conn.c, never a descriptor.
 */
#ifndef TLS_CONN_BIO_H
#define TLS_CONN_BIO_H

#include <openssl/types.h>

#include "tls/env.h"

struct tls_conn;

/* NULL without memory.  Owned by caller, BIO_meth_free. */
BIO_METHOD *conn_bio_method_new(void);
/* A BIO that reads c->feed and writes to c->room->made; NULL without memory. */
BIO *conn_bio_new(struct tls_env *env, struct tls_conn *c);

#endif

/*
 * cli/certs.c: the test authority of quickstart.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "start.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tls/keygen.h"

enum { PEM_MAX = 16 * 1024 };

static enum err make(const char *hostname, struct buf *ca, struct buf *key, struct buf *chain)
{
	struct view names[] = { view_str(hostname), VIEW("localhost"), VIEW("127.0.0.1"),
				VIEW("::1") };
	struct buf CLEANUP(buf_done) ca_key = BUF_INIT(PEM_MAX);
	struct tls_env env;
	enum err err = tls_env_init(&env);

	if (err)
		return err;
	err = keygen_authority(&env, "Posthold test authority", clock_wall(), &ca_key, ca);
	if (!err) {
		struct keygen_request request = {
			.ca_key = buf_view(&ca_key),
			.ca_certificate = buf_view(ca),
			.names = names,
			.name_count = ARRAY_LEN(names),
			.type = KEYGEN_P256,
			.now = clock_wall(),
			.days = KEYGEN_SERVER_DAYS,
		};

		err = keygen_server(&env, &request, key, chain);
	}
	/* The authority signs this one certificate; its key is kept nowhere. */
	buf_wipe(&ca_key);
	tls_env_done(&env);
	return err;
}

bool create_test_certificates(const char *folder, const char *hostname)
{
	struct buf CLEANUP(buf_done) ca = BUF_INIT(PEM_MAX);
	struct buf CLEANUP(buf_done) key = BUF_INIT(PEM_MAX);
	struct buf CLEANUP(buf_done) chain = BUF_INIT(PEM_MAX);
	int CLEANUP(fd_close) dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err err = dir < 0 ? ERR_IO : make(hostname, &ca, &key, &chain);

	if (!err)
		err = file_replace(dir, "key.pem", buf_view(&key), 0600);
	if (!err)
		err = file_replace(dir, "cert.pem", buf_view(&chain), 0644);
	if (!err)
		err = file_replace(dir, "ca.pem", buf_view(&ca), 0644);
	buf_wipe(&key);
	if (err)
		complain("cannot make certificates in %s: %s", folder,
			 err == ERR_IO ? strerrordesc_np(errno) : err_text(err));
	return err == OK;
}

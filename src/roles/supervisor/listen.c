/*
 * roles/supervisor/listen.c: bind every listening socket, once, before anything else starts.
 *
 * The sockets stay open here so that a restarted front gets the same ones and no connection that
 * waits in them is lost.
 */
#include "supervisor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/file.h"

enum { BACKLOG = 4096, IN_USE_TRIES = 20, IN_USE_WAIT_US = 50000 };

struct port_row {
	const char *name;
	uint16_t port;
	unsigned instance;
};

static const struct port_row port_rows[] = {
	{ "smtp", 25, I_FRONT_MX },	      { "submission", 587, I_FRONT_USER },
	{ "submissions", 465, I_FRONT_USER }, { "imaps", 993, I_FRONT_USER },
	{ "imap", 143, I_FRONT_USER },
};

static enum err add(struct supervisor *sup, const struct port_row *row, int fd)
{
	struct listener *l;

	if (sup->listener_count >= LISTENERS_MAX) {
		fd_close(&fd);
		return ERR_LIMIT;
	}
	l = &sup->listeners[sup->listener_count];
	*l = (struct listener){ .fd = fd, .instance = row->instance, .id = sup->listener_count };
	memcpy(l->name, row->name, strlen(row->name) + 1);
	sup->listener_count++;
	return OK;
}

static int bind_once(const char *address, uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	int fd, one = 1;

	if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (is_v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
		 is_v6 ? sizeof(v6) : sizeof(v4)) ||
	    listen(fd, BACKLOG)) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Right after a crash of the whole server its processes may need a moment to end, and hold the ports. */
static int bind_port(const char *address, uint16_t port)
{
	int fd = bind_once(address, port);

	for (int i = 0; fd < 0 && errno == EADDRINUSE && i < IN_USE_TRIES; i++) {
		usleep(IN_USE_WAIT_US);
		fd = bind_once(address, port);
	}
	return fd;
}

static void explain(struct supervisor *sup, const char *address, uint16_t port, struct buf *why)
{
	buf_addf(why, "cannot listen on %s port %u: %s", address, port, strerrordesc_np(errno));
	if (errno == EADDRINUSE)
		buf_add_str(why, ". Another program has this port (ss -ltnp tells which); stop it, "
				 "or set port_offset");
	if (errno == EACCES)
		buf_add_str(why, ". Ports below 1024 need root or CAP_NET_BIND_SERVICE; start as "
				 "root, or set port_offset");
	if (errno == EINVAL)
		buf_add_str(why, ". listen_address takes numeric addresses only");
}

static enum err listen_address(struct supervisor *sup, const char *address, bool optional,
			       struct buf *why)
{
	for (size_t i = 0; i < ARRAY_LEN(port_rows); i++) {
		const struct port_row *row = &port_rows[i];
		uint16_t port = (uint16_t)(row->port + sup->config.port_offset);
		enum err err;
		int fd;

		if (row->port == 143 && !sup->config.imap_clear)
			continue;
		fd = bind_port(address, port);
		if (fd < 0 && optional && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
			LOG_NOTICE("supervisor.no_ipv6",
				   "this machine has no IPv6; going on without it",
				   LOG_STR("address", address));
			return OK;
		}
		if (fd < 0) {
			explain(sup, address, port, why);
			return ERR_IO;
		}
		err = add(sup, row, fd);
		if (err) {
			buf_add_str(why, "listen_address names too many addresses");
			return err;
		}
	}
	return OK;
}

/* The administrator's socket.  Who may connect is decided by the folder and the socket's mode. */
static enum err listen_control(struct supervisor *sup, struct buf *why)
{
	static const struct port_row row = { "control", 0, I_CONTROL };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/control.sock", sup->data_path);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(at.sun_path)) {
		buf_addf(why, "the path %s is too long for a socket below it", sup->data_path);
		return ERR_LIMIT;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ERR_IO;
	unlink(at.sun_path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || chmod(at.sun_path, 0600) ||
	    listen(fd, BACKLOG)) {
		buf_addf(why, "cannot make the socket %s: %s", at.sun_path, strerrordesc_np(errno));
		close(fd);
		return ERR_IO;
	}
	return add(sup, &row, fd);
}

enum err listen_all(struct supervisor *sup, struct buf *why)
{
	struct view rest = view_str(sup->config.listen_address);
	bool several = view_has(rest, ',');
	enum err err = listen_control(sup, why);

	while (rest.n > 0 && !err) {
		struct view word;
		char *address;

		rest = view_cut(rest, ',', &word);
		address = view_to_cstr(view_trim(word));
		if (!address)
			return ERR_NOMEM;
		err = listen_address(sup, address, several && strchr(address, ':'), why);
		free(address);
	}
	return err;
}

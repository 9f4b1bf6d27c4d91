/*
 * fuzz_imap_session: a logged-in client that says anything, in pieces, and reads slowly.
 *
 * One store in a temporary folder serves all runs, so that mailboxes fill up and vanish; a second
 * session stays in IDLE and sees it.  The first octet chooses the pieces.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "roles/mailbox/imap/digest.h"
#include "roles/mailbox/imap/session.h"

enum { TURNS_MAX = 20000, RUNS_PER_STORE = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct imap_session_config config;
static struct digest_maker digest;
static char path[64];
static unsigned runs;
static int64_t now;

static int64_t mono(void)
{
	return now += 1;
}

static int64_t wall(void)
{
	return 1795232934;
}

static void wake(void *ctx)
{
}

static void turns(struct imap_session *s, struct view input, size_t step, size_t window)
{
	bool more = true;

	for (unsigned i = 0; more && i < TURNS_MAX; i++) {
		size_t taken = imap_session_input(s, view_head(input, step));
		struct view out;

		input = view_from(input, taken);
		more = imap_session_run(s) || taken;
		out = view_head(imap_session_output(s), window);
		ASSERT(imap_session_output(s).n <= IMAP_OUTPUT_MAX);
		more = more || out.n;
		imap_session_sent(s, out.n);
	}
}

static void say(struct imap_session *s, const char *text)
{
	turns(s, view_str(text), SIZE_MAX, SIZE_MAX);
}

static struct imap_session *session(void)
{
	struct imap_session_hooks hooks = { .wake = wake };
	struct imap_session *s = NULL;

	ASSERT(imap_session_new(&config, &hooks, VIEW_EMPTY, &s) == OK);
	return s;
}

static void store_drop(void)
{
	DIR *d;
	struct dirent *e;

	store_abort(&config.store);
	d = opendir(path);
	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

static void store_make(void)
{
	static struct store_key key = { .generation = 1 };
	struct store_keys keys = { &key, 1 };
	struct store_config c = { .account = 7, .digest = mailbox_digest, .digest_ctx = &digest };
	struct imap_session *s;
	int dir;

	if (!digest.envelope.max)
		digest_maker_init(&digest, NULL);
	snprintf(path, sizeof(path), "/tmp/posthold-fuzz-XXXXXX");
	ASSERT(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT(dir >= 0 && store_open(dir, &keys, &c, &config.store) == OK);
	config.mono_ms = mono;
	config.wall = wall;
	s = session();
	say(s, "a APPEND INBOX {41+}\r\nFrom: a@b\r\nSubject: c\r\nTo: d@e\r\n\r\nbody\r\n\r\n");
	say(s, "a APPEND INBOX (\\Seen) {99+}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	       "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc\r\n--b--\r\n\r\n");
	imap_session_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_session *s, *other;

	if (size < 1)
		return 0;
	if (runs++ % RUNS_PER_STORE == 0) {
		if (runs > 1)
			store_drop();
		store_make();
	}
	s = session();
	other = session();
	say(other, "a SELECT INBOX\r\nb IDLE\r\n");
	if (data[0] & 0x80)
		say(s, "a ENABLE IMAP4rev2 QRESYNC\r\n");
	if (data[0] & 0x40)
		say(s, "a SELECT INBOX\r\n");
	turns(s, view_of(data + 1, size - 1), (size_t)(data[0] & 7) * 9 + 1,
	      data[0] & 8 ? 100 : SIZE_MAX);
	say(other, "");
	imap_session_free(&s);
	imap_session_free(&other);
	return 0;
}

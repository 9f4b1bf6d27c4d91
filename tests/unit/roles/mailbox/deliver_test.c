/* roles/mailbox/deliver.c: what is stored of what comes, and what is refused. */
#include "deliver_world.h"

/* RFC 5321#4.4: one Return-Path in front, and not an octet changed behind it. */
static void test_payload(void **state)
{
	struct deliver_put m = message(1, VIEW("Subject: a\r\n\r\n\0text\r\n"));
	char sender[321];

	put(&m, -1);
	spin_told(1);
	assert_told(0, 1, DELIVER_OK, "");
	assert_last("INBOX", VIEW(FIELD "Subject: a\r\n\r\n\0text\r\n"));

	/* A report has no sender. */
	m = message(2, VIEW("x"));
	m.sender = VIEW_EMPTY;
	put(&m, -1);
	/* Nothing behind the field is a message as well. */
	m = message(3, VIEW_EMPTY);
	put(&m, -1);
	spin_told(3);
	assert_told(1, 2, DELIVER_OK, "");
	assert_told(2, 3, DELIVER_OK, "");
	assert_last("INBOX", VIEW(FIELD));

	/* The longest sender that the channel carries. */
	memset(sender, 's', 320);
	m = message(4, VIEW("x"));
	m.sender = view_of(sender, 320);
	put(&m, -1);
	spin_told(4);
	assert_told(3, 4, DELIVER_OK, "");
	assert_int_equal(stored_count("INBOX"), 4);
	assert_int_equal(w.box.delivered, 4);
	assert_null(w.event);
}

static void test_null_sender(void **state)
{
	struct deliver_put m = message(1, VIEW("x"));

	m.sender = VIEW_EMPTY;
	put(&m, -1);
	spin_told(1);
	assert_last("INBOX", VIEW("Return-Path: <>\r\nx"));
}

/* No sender makes lines of its own. */
static void test_sender_with_line(void **state)
{
	static const struct view senders[] = { VIEW_INIT("a@b\r\nX-Forged: 1"), VIEW_INIT("a@b\n"),
					       VIEW_INIT("\ra@b") };

	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		struct deliver_put m = message(i + 1, VIEW("x"));

		m.sender = senders[i];
		put(&m, -1);
		spin_told(i + 1);
		assert_told(i, i + 1, DELIVER_TEMPORARY, err_text(ERR_SYNTAX));
	}
	assert_int_equal(stored_count("INBOX"), 0);
	assert_false(w.closed);
}

static void test_folder(void **state)
{
	static const struct {
		const char *asked, *goes_to;
	} rows[] = {
		{ "Lists", "Lists" }, { "Lists/c", "Lists/c" }, { "lists", "INBOX" },
		{ "none", "INBOX" },  { "Gone", "INBOX" },	{ "", "INBOX" },
	};
	uint64_t id;

	assert_int_equal(store_mailbox_create(w.account.store, VIEW("Lists/c"), 0, &id), OK);
	assert_int_equal(store_mailbox_create(w.account.store, VIEW("Gone/c"), 0, &id), OK);
	/* It has children: the name stays, and nothing can be put there. */
	assert_int_equal(store_mailbox_delete(w.account.store, VIEW("Gone")), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct deliver_put m = message(i + 1, view_str(rows[i].asked));
		size_t before = stored_count(rows[i].goes_to);

		m.mailbox = view_str(rows[i].asked);
		put(&m, -1);
		spin_told(i + 1);
		assert_told(i, i + 1, DELIVER_OK, "");
		assert_int_equal(stored_count(rows[i].goes_to), before + 1);
	}
}

/* A body in a descriptor, copied and mapped, with and without room for the field in front of it. */
static void test_memory(void **state)
{
	static const size_t sizes[] = { 1, SMALL_MAX - 1, SMALL_MAX, SMALL_MAX + 1, 200 * 1024 };
	/* FIELD is of 29 octets; a page is of 4096. */
	static const size_t places[] = { 0, 1, FIELD_N - 2, FIELD_N - 1, FIELD_N, 4096, 5000 };
	uint64_t sequence = 0;

	assert_int_equal(sizeof(FIELD) - 1, FIELD_N - 1);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t k = 0; k < ARRAY_LEN(places); k++) {
			struct deliver_put m = in_memory(++sequence, places[k], sizes[i]);
			int fd = memory(places[k], sizes[i], SEALED);
			struct buf CLEANUP(buf_done) got = BUF_INIT(0);
			char before;

			put(&m, dup(fd));
			spin_told(sequence);
			assert_told(sequence - 1, sequence, DELIVER_OK, "");
			got = last_stored("INBOX");
			assert_int_equal(got.n, sizeof(FIELD) - 1 + sizes[i]);
			assert_memory_equal(got.p, FIELD, sizeof(FIELD) - 1);
			for (size_t at = 0; at < sizes[i]; at++)
				if (got.p[sizeof(FIELD) - 1 + at] != octet(at))
					fail_msg("size %zu at %zu: octet %zu differs", sizes[i],
						 places[k], at);
			/* The field was written into a page of our own. */
			if (places[k]) {
				assert_int_equal(pread(fd, &before, 1, (off_t)places[k] - 1), 1);
				assert_int_equal(before, '#');
			}
			close(fd);
		}
	}
	assert_int_equal(stored_count("INBOX"), sequence);
}

/* What could change or go away under the eyes of who reads it is refused: the queue never sends it. */
static void test_unsealed(void **state)
{
	static const int seals[] = { 0, F_SEAL_SHRINK, F_SEAL_WRITE,
				     F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_WRITE };
	static const size_t sizes[] = { 10, SMALL_MAX };

	for (size_t i = 0; i < ARRAY_LEN(seals); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
			struct deliver_put m = in_memory(1, 4096, sizes[k]);

			put(&m, memory(4096, sizes[k], seals[i]));
			spin_closed();
			assert_string_equal(w.event, "mailbox.protocol");
			w.event = NULL;
			connect_queue();
		}
	}
	assert_int_equal(stored_count("INBOX"), 0);
	assert_int_equal(w.told_n, 0);
}

/* A plain file can be changed and cut while it is read. */
static void test_not_in_memory(void **state)
{
	struct deliver_put m = in_memory(1, 0, 10);
	int fd = openat(w.account.dir, "plain", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	put(&m, fd);
	spin_closed();
	assert_string_equal(w.event, "mailbox.protocol");
	assert_int_equal(stored_count("INBOX"), 0);
}

/* A descriptor must hold all that was promised. */
static void test_short_memory(void **state)
{
	static const size_t sizes[] = { 100, SMALL_MAX };

	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct deliver_put m = in_memory(k + 1, 4096, sizes[k]);

		put(&m, memory(4096, sizes[k], SEALED));
		spin_told(k + 1);
		assert_told(k, k + 1, DELIVER_OK, "");
		m.sequence = 100;
		put(&m, memory(4096, sizes[k] - 1, SEALED));
		spin_closed();
		connect_queue();
		/* The place counts too. */
		m.body_at = UINT32_MAX;
		put(&m, memory(4096, sizes[k], SEALED));
		spin_closed();
		connect_queue();
		assert_int_equal(stored_count("INBOX"), k + 1);
	}
}

static void test_payload_disagrees(void **state)
{
	static const uint64_t lengths[] = { 0, 3, 5, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct deliver_put m = message(1, VIEW("text"));

		m.body_n = lengths[i];
		put(&m, -1);
		spin_closed();
		assert_string_equal(w.event, "mailbox.protocol");
		w.event = NULL;
		connect_queue();
	}
	assert_int_equal(stored_count("INBOX"), 0);
	assert_int_equal(w.told_n, 0);
}

/* Twice the option message_size: what is stored may have grown on its way. */
static void test_size(void **state)
{
	size_t most = 2 * w.role.config.message_size;
	struct deliver_put m = in_memory(1, 4096, most);

	put(&m, memory(4096, most, SEALED));
	spin_told(1);
	assert_told(0, 1, DELIVER_OK, "");
	m = in_memory(2, 4096, most + 1);
	put(&m, memory(4096, most + 1, SEALED));
	m = in_memory(3, 4096, 0);
	put(&m, memory(4096, 0, SEALED));
	m = in_memory(4, 4096, UINT64_MAX);
	put(&m, memory(4096, 1, SEALED));
	spin_told(4);
	for (size_t i = 1; i < 4; i++)
		assert_told(i, i + 1, DELIVER_FAILED, err_text(ERR_LIMIT));
	assert_int_equal(stored_count("INBOX"), 1);
	assert_false(w.closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_payload),	  TEST(test_null_sender),  TEST(test_sender_with_line),
		TEST(test_folder),	  TEST(test_memory),	   TEST(test_unsealed),
		TEST(test_not_in_memory), TEST(test_short_memory), TEST(test_payload_disagrees),
		TEST(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

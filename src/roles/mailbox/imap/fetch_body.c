/*
 * roles/mailbox/imap/fetch_body.c: the items of FETCH: fields of the row, kept columns, octets.
 */
#include "proto/imap/bodystructure.h"
#include "proto/imap/envelope.h"
#include "roles/mailbox/imap/fetch.h"

bool fetch_add_plain(struct imap_session *s, const struct store_message *m,
		     const struct imap_fetch_item *item)
{
	struct buf *out = &s->out;

	switch (item->kind) {
	case IMAP_FETCH_UID:
		buf_add(out, VIEW("UID "));
		buf_add_u64(out, m->uid);
		return true;
	case IMAP_FETCH_FLAGS:
		buf_add(out, VIEW("FLAGS "));
		session_add_flags(s, m);
		return true;
	case IMAP_FETCH_INTERNALDATE:
		buf_add(out, VIEW("INTERNALDATE "));
		imap_add_date_time(out, m->date, m->zone);
		return true;
	case IMAP_FETCH_SIZE:
		buf_add(out, VIEW("RFC822.SIZE "));
		buf_add_u64(out, m->size);
		return true;
	case IMAP_FETCH_MODSEQ:
		buf_add(out, VIEW("MODSEQ ("));
		buf_add_u64(out, m->modseq);
		buf_add_char(out, ')');
		return true;
	case IMAP_FETCH_EMAILID:
		buf_addf(out, "EMAILID (E%llx)", (unsigned long long)m->blob);
		return true;
	case IMAP_FETCH_THREADID: buf_add(out, VIEW("THREADID NIL")); return true;
	case IMAP_FETCH_SAVEDATE:
		buf_add(out, VIEW("SAVEDATE "));
		imap_add_date_time(out, m->saved, 0);
		return true;
	default: return false;
	}
}

unsigned fetch_column(const struct imap_fetch_item *item)
{
	switch (item->kind) {
	case IMAP_FETCH_ENVELOPE: return STORE_COL_ENVELOPE;
	case IMAP_FETCH_BODY:
	case IMAP_FETCH_BODYSTRUCTURE: return STORE_COL_STRUCTURE;
	case IMAP_FETCH_PREVIEW: return STORE_COL_PREVIEW;
	case IMAP_FETCH_SECTION:
		if (item->section.kind == IMAP_SECTION_HEADER_FIELDS && !item->section.path_n &&
		    !item->partial && digest_header_cached(item->section.names))
			return STORE_COL_HEADER;
		return 0;
	default: return 0;
	}
}

/* "{n}" CRLF before octets that follow; an empty value is a quoted string. */
static void add_literal_head(struct buf *out, uint64_t n)
{
	if (n == 0) {
		buf_add(out, VIEW("\"\""));
		return;
	}
	buf_add_char(out, '{');
	buf_add_u64(out, n);
	buf_add(out, VIEW("}\r\n"));
}

bool fetch_add_column(struct imap_session *s, const struct store_digest *d,
		      const struct imap_fetch_item *item)
{
	struct buf *out = &s->out;
	struct digest_structure structure;
	size_t mark = out->n;

	switch (item->kind) {
	case IMAP_FETCH_ENVELOPE:
		if (!d->envelope.n)
			return false;
		buf_add(out, VIEW("ENVELOPE "));
		buf_add(out, d->envelope);
		return true;
	case IMAP_FETCH_BODYSTRUCTURE:
		if (digest_structure_parse(d->structure, &structure))
			return false;
		buf_add(out, VIEW("BODYSTRUCTURE "));
		buf_add(out, structure.bodystructure);
		return true;
	case IMAP_FETCH_BODY:
		if (digest_structure_parse(d->structure, &structure))
			return false;
		buf_add(out, VIEW("BODY "));
		if (!imap_add_body_cut(out, structure.bodystructure, structure.cuts))
			return true;
		buf_truncate(out, mark);
		return false;
	case IMAP_FETCH_PREVIEW:
		buf_add(out, VIEW("PREVIEW "));
		imap_add_string(out, d->preview, session_utf8(s));
		return true;
	case IMAP_FETCH_SECTION:
		if (!d->header.n)
			return false;
		buf_clear(&s->scratch);
		imap_add_header_fields(&s->scratch, d->header, item->section.names, false);
		imap_add_fetch_label(out, item);
		buf_add_char(out, ' ');
		add_literal_head(out, s->scratch.n);
		buf_add(out, buf_view(&s->scratch));
		return true;
	default: return false;
	}
}

void fetch_message_close(struct imap_session *s)
{
	struct fetch_job *job = s->job.fetch;

	if (job->body)
		store_body_close(&job->body);
	arena_clear(&job->arena);
	buf_done(&job->whole);
	buf_clear(&job->value);
	buf_trim(&job->value, IMAP_OUTPUT_HIGH);
	buf_clear(&job->chunk);
	job->root = NULL;
	job->have_parts = false;
	job->source = SOURCE_NONE;
	job->open = false;
}

static enum err body_open(struct imap_session *s, struct fetch_job *job)
{
	return job->body ? OK : store_body_open(s->store, job->blob, &job->body);
}

/* Append octets from..to of the message. */
static enum err body_copy(struct imap_session *s, struct fetch_job *job, uint64_t from, uint64_t to,
			  struct buf *out)
{
	enum err err = body_open(s, job);

	while (!err && from < to) {
		struct view piece;

		err = store_body_read(job->body, from, &piece);
		if (!err && !piece.n)
			err = ERR_CORRUPT;
		if (err)
			break;
		piece = view_head(piece, to - from < SIZE_MAX ? (size_t)(to - from) : SIZE_MAX);
		buf_add(out, piece);
		from += piece.n;
		job->cost += piece.n;
		err = buf_err(out);
	}
	return err;
}

/* Read and scan the whole message: what is kept of it was not enough. */
static enum err whole_load(struct imap_session *s, struct fetch_job *job)
{
	enum err err;

	if (job->root)
		return OK;
	if (job->size > FETCH_VALUE_MAX || !buf_room(&job->whole, (size_t)job->size))
		return ERR_LIMIT;
	err = body_copy(s, job, 0, job->size, &job->whole);
	if (!err)
		err = mime_scan(&job->arena, buf_view(&job->whole), &job->root);
	return err;
}

static bool parts_fit(struct imap_parts parts, uint64_t size)
{
	for (size_t i = 0; i < parts.n; i++)
		if (parts.at[i].body_end > size)
			return false;
	return true;
}

static enum err parts_load(struct imap_session *s, struct fetch_job *job)
{
	struct store_digest d;
	struct digest_structure structure;
	enum err err;

	if (job->have_parts)
		return OK;
	if (!store_digest_get(s->store, job->blob, STORE_COL_STRUCTURE, &d) &&
	    !digest_structure_parse(d.structure, &structure) &&
	    !imap_parts_decode(&job->arena, structure.parts, &job->parts) &&
	    parts_fit(job->parts, job->size)) {
		job->have_parts = true;
		return OK;
	}
	err = whole_load(s, job);
	if (!err)
		err = imap_parts_of(&job->arena, job->root, &job->parts);
	job->have_parts = !err;
	return err;
}

/* Label and NIL: there is nothing to tell. */
static void add_nil(struct imap_session *s, const struct imap_fetch_item *item)
{
	imap_add_fetch_label(&s->out, item);
	buf_add(&s->out, VIEW(" NIL"));
}

static void item_failed(struct imap_session *s, const struct imap_fetch_item *item, enum err err)
{
	s->job.fetch->failed = err;
	add_nil(s, item);
}

/* Cut *from..*to down to the partial range of the item. */
static void partial_apply(const struct imap_fetch_item *item, uint64_t *from, uint64_t *to)
{
	uint64_t size = *to - *from;

	if (!item->partial)
		return;
	*from += item->offset < size ? item->offset : size;
	if (item->length < *to - *from)
		*to = *from + item->length;
}

/* Tell octets from..to of a source as a literal. */
static void source_begin(struct imap_session *s, const struct imap_fetch_item *item,
			 enum fetch_source source, uint64_t from, uint64_t to)
{
	struct fetch_job *job = s->job.fetch;
	struct view piece;
	enum err err = source == SOURCE_BODY ? body_open(s, job) : OK;

	partial_apply(item, &from, &to);
	/* Before its length is announced: a damaged message is NIL and NO, not a broken connection.  The
	 * reader keeps the piece, so that this costs nothing. */
	if (!err && source == SOURCE_BODY && from < to)
		err = store_body_read(job->body, from, &piece);
	if (err) {
		item_failed(s, item, err);
		return;
	}
	imap_add_fetch_label(&s->out, item);
	buf_add_char(&s->out, ' ');
	add_literal_head(&s->out, to - from);
	job->source = from < to ? source : SOURCE_NONE;
	job->from = from;
	job->to = to;
}

/* The header at from..to, filtered, into value. */
static enum err header_filter(struct imap_session *s, struct fetch_job *job,
			      const struct imap_section *section, uint64_t from, uint64_t to)
{
	enum err err;

	buf_clear(&s->scratch);
	buf_clear(&job->value);
	err = body_copy(s, job, from, to, &s->scratch);
	if (err)
		return err;
	imap_add_header_fields(&job->value, buf_view(&s->scratch), section->names,
			       section->kind == IMAP_SECTION_HEADER_FIELDS_NOT);
	return buf_err(&job->value);
}

static void section_begin(struct imap_session *s, const struct imap_fetch_item *item,
			  const struct imap_section *section)
{
	struct fetch_job *job = s->job.fetch;
	struct imap_extent extent = { .to = job->size };
	enum err err = OK;

	if (section->kind != IMAP_SECTION_ALL || section->path_n) {
		err = parts_load(s, job);
		if (!err)
			extent = imap_section_find(job->parts, section);
	}
	if (!err && extent.filter)
		err = header_filter(s, job, section, extent.from, extent.to);
	if (err)
		item_failed(s, item, err);
	else if (extent.none)
		add_nil(s, item);
	else if (extent.filter)
		source_begin(s, item, SOURCE_VALUE, 0, job->value.n);
	else
		source_begin(s, item, SOURCE_BODY, extent.from, extent.to);
}

/* Feed the decoder with the next piece of the message; its output is in chunk. */
static enum err decoder_step(struct imap_session *s, struct fetch_job *job)
{
	struct view piece = VIEW_EMPTY;
	enum err err = OK;

	buf_clear(&job->chunk);
	if (job->from >= job->to) {
		job->decoder_ended = true;
		return mime_decoder_finish(&job->decoder, &job->chunk);
	}
	err = store_body_read(job->body, job->from, &piece);
	if (err || !piece.n)
		return err ? err : ERR_CORRUPT;
	if (piece.n > job->to - job->from)
		piece = view_head(piece, (size_t)(job->to - job->from));
	job->from += piece.n;
	job->cost += piece.n;
	return mime_decoder_feed(&job->decoder, piece, &job->chunk);
}

static void decoder_begin(struct fetch_job *job, struct imap_extent extent)
{
	mime_decoder_init(&job->decoder, (enum mime_encoding)extent.encoding);
	job->decoder_ended = false;
	job->from = extent.from;
	job->to = extent.to;
}

/* Octets that the part decodes to. */
static enum err decoder_measure(struct imap_session *s, struct fetch_job *job,
				struct imap_extent extent, uint64_t *ret)
{
	uint64_t size = 0;
	enum err err = body_open(s, job);

	decoder_begin(job, extent);
	while (!err && !job->decoder_ended) {
		err = decoder_step(s, job);
		size += job->chunk.n;
	}
	*ret = size;
	return err;
}

/* BINARY and BINARY.SIZE   RFC 3516#4.2, RFC 9051#6.4.5.2 */
static void binary_begin(struct imap_session *s, const struct imap_fetch_item *item)
{
	struct fetch_job *job = s->job.fetch;
	struct imap_extent extent;
	uint64_t size = 0;
	uint64_t from = 0;
	enum err err = parts_load(s, job);

	if (!err) {
		extent = imap_section_find(job->parts, &item->section);
		if (extent.none) {
			add_nil(s, item);
			return;
		}
		if (!extent.leaf)
			extent.encoding = MIME_BINARY; /* composites are not encoded */
		if (extent.encoding == MIME_ENCODING_UNKNOWN) {
			job->undecodable = true;
			add_nil(s, item);
			return;
		}
		err = decoder_measure(s, job, extent, &size);
	}
	if (err) {
		item_failed(s, item, err);
		return;
	}
	imap_add_fetch_label(&s->out, item);
	buf_add_char(&s->out, ' ');
	if (item->kind == IMAP_FETCH_BINARY_SIZE) {
		buf_add_u64(&s->out, size);
		return;
	}
	partial_apply(item, &from, &size);
	if (from < size)
		buf_add_char(&s->out, '~');
	add_literal_head(&s->out, size - from);
	if (from == size)
		return;
	decoder_begin(job, extent);
	job->skip = from;
	job->left = size - from;
	job->source = SOURCE_DECODER;
}

/* ENVELOPE, BODY, BODYSTRUCTURE made from the message itself. */
static void structure_begin(struct imap_session *s, const struct imap_fetch_item *item)
{
	struct fetch_job *job = s->job.fetch;
	struct arena scratch;
	struct mime_envelope envelope;
	enum err err = whole_load(s, job);

	buf_clear(&job->value);
	arena_init(&scratch, MIME_ENVELOPE_ARENA_MAX);
	if (!err && item->kind == IMAP_FETCH_ENVELOPE) {
		err = mime_envelope_parse(
			&scratch, mime_part_header(buf_view(&job->whole), job->root), &envelope);
		if (!err)
			imap_add_envelope(&job->value, &envelope);
	} else if (!err) {
		err = imap_add_bodystructure(&job->value, &scratch, buf_view(&job->whole),
					     job->root, item->kind == IMAP_FETCH_BODYSTRUCTURE,
					     NULL);
	}
	arena_done(&scratch);
	if (!err)
		err = buf_err(&job->value);
	if (err) {
		item_failed(s, item, err);
		return;
	}
	imap_add_fetch_label(&s->out, item);
	buf_add_char(&s->out, ' ');
	job->source = SOURCE_VALUE;
	job->from = 0;
	job->to = job->value.n;
}

void fetch_item_begin(struct imap_session *s, const struct imap_fetch_item *item)
{
	static const struct imap_section all = { .kind = IMAP_SECTION_ALL };
	static const struct imap_section header = { .kind = IMAP_SECTION_HEADER };
	static const struct imap_section text = { .kind = IMAP_SECTION_TEXT };
	unsigned column = fetch_column(item);
	struct store_digest d;

	if (column && !store_digest_get(s->store, s->job.fetch->blob, column, &d) &&
	    fetch_add_column(s, &d, item))
		return;
	switch (item->kind) {
	case IMAP_FETCH_SECTION: section_begin(s, item, &item->section); break;
	case IMAP_FETCH_RFC822: section_begin(s, item, &all); break;
	case IMAP_FETCH_RFC822_HEADER: section_begin(s, item, &header); break;
	case IMAP_FETCH_RFC822_TEXT: section_begin(s, item, &text); break;
	case IMAP_FETCH_BINARY:
	case IMAP_FETCH_BINARY_SIZE: binary_begin(s, item); break;
	case IMAP_FETCH_ENVELOPE:
	case IMAP_FETCH_BODY:
	case IMAP_FETCH_BODYSTRUCTURE: structure_begin(s, item); break;
	default: add_nil(s, item); break; /* a message that is gone meanwhile */
	}
}

/* One piece of a decoded part. */
static enum err decoder_tell(struct imap_session *s, struct fetch_job *job)
{
	enum err err = decoder_step(s, job);
	struct view piece = buf_view(&job->chunk);
	uint64_t skip = job->skip < piece.n ? job->skip : piece.n;

	if (err)
		return err;
	piece = view_from(piece, (size_t)skip);
	job->skip -= skip;
	if (piece.n > job->left)
		piece = view_head(piece, (size_t)job->left);
	buf_add(&s->out, piece);
	job->left -= piece.n;
	if (job->left == 0)
		job->source = SOURCE_NONE;
	else if (job->decoder_ended)
		return ERR_CORRUPT;
	return OK;
}

/* One piece of the message. */
static enum err body_tell(struct imap_session *s, struct fetch_job *job)
{
	struct view piece = VIEW_EMPTY;
	enum err err = store_body_read(job->body, job->from, &piece);

	if (err || !piece.n)
		return err ? err : ERR_CORRUPT;
	if (piece.n > job->to - job->from)
		piece = view_head(piece, (size_t)(job->to - job->from));
	buf_add(&s->out, piece);
	job->from += piece.n;
	if (job->from == job->to)
		job->source = SOURCE_NONE;
	return OK;
}

/* One piece of a generated value. */
static void value_tell(struct imap_session *s, struct fetch_job *job)
{
	size_t n = size_min((size_t)(job->to - job->from), IMAP_OUTPUT_HIGH);

	buf_add(&s->out, view_part(buf_view(&job->value), (size_t)job->from, n));
	job->from += n;
	if (job->from == job->to)
		job->source = SOURCE_NONE;
}

enum job_step fetch_source_step(struct imap_session *s)
{
	struct fetch_job *job = s->job.fetch;
	enum err err = OK;

	while (job->source != SOURCE_NONE && !err) {
		if (!session_room(s))
			return STEP_MORE;
		switch (job->source) {
		case SOURCE_BODY: err = body_tell(s, job); break;
		case SOURCE_DECODER: err = decoder_tell(s, job); break;
		default: value_tell(s, job); break;
		}
	}
	if (err) {
		/* The literal was announced and cannot be completed. */
		s->out.err = err;
		job->source = SOURCE_NONE;
	}
	return STEP_DONE;
}

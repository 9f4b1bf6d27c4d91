/*
 * proto/mime/fold.c: folding at blanks.   RFC 5322#2.2.3
 */
#include "proto/mime/fold.h"

#include "base/ascii.h"
#include "proto/mime/build.h"

bool fold_is_unsafe(struct view text)
{
	return view_has(text, '\r') || view_has(text, '\n') || view_has(text, '\0');
}

size_t fold_column(const struct buf *out)
{
	size_t lf = view_rfind_char(buf_view(out), '\n');

	return lf == VIEW_NONE ? out->n : out->n - lf - 1;
}

/* Length of a piece: blanks, then what is not blank. */
static size_t piece_length(struct view text)
{
	size_t n = 0;

	while (n < text.n && ascii_is_blank(view_at(text, n)))
		n++;
	while (n < text.n && !ascii_is_blank(view_at(text, n)))
		n++;
	return n;
}

enum err fold_add(struct buf *out, struct view text, size_t column)
{
	bool first = true;

	while (text.n) {
		struct view piece = view_head(text, piece_length(text));
		bool blank_first = ascii_is_blank(view_at(piece, 0));
		bool last_blank = ascii_is_blank(view_at(piece, piece.n - 1));

		/* Not before the first word (a field whose first line is empty confuses some), and
		 * not before blanks alone (an empty-looking line ends a header for some). */
		if (column + piece.n > MIME_LINE_SOFT && blank_first && !last_blank && !first) {
			buf_add(out, VIEW("\r\n"));
			column = 0;
		}
		if (column + piece.n > MIME_LINE_HARD)
			return ERR_LIMIT;
		buf_add(out, piece);
		column += piece.n;
		text = view_from(text, piece.n);
		first = false;
	}
	return buf_err(out);
}

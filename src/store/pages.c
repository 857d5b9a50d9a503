/*
 * pages.c
 *		The memory that entries lie in: runs of 4 kB pages, and a bitmap of those
 *		that are taken.
 *
 * The server's DSA is not used: each time that it finds no room for a small
 * object it loses a few bytes for good (ensure_active_superblock() in dsa.c, up
 * to version 18 at least), and finding no room is what a full cache does all
 * day.  Its free page manager keeps its own books on pages that lie scattered
 * among the others, so that no room could be made for a large entry.  A bitmap
 * does neither.  The search goes on from where pages were last given back,
 * which is where room has just been made.
 *
 * Locks: dc_shared's page lock protects the map.
 */
#include "postgres.h"

#include "storage/lwlock.h"

#include "shmem.h"
#include "store/pages.h"

#define DC_PAGE_SIZE 4096
#define DC_WORD_BITS 64

typedef struct DcPageMap
{
	Size		n_pages;		/* page 0 among them, which is never free */
	Size		n_free;
	DcPage		hand;			/* where to begin the search */
	uint64		taken[FLEXIBLE_ARRAY_MEMBER];	/* a bit for each page */
} DcPageMap;

static DcPageMap *map = NULL;
static char *base = NULL;		/* of page 0 */

void
dc_pages_use(char *memory, Size size)
{
	Size		n_words = size / DC_PAGE_SIZE / DC_WORD_BITS + 1;

	map = (DcPageMap *) memory;
	base = (char *) TYPEALIGN(DC_PAGE_SIZE, &map->taken[n_words]);
}

void
dc_pages_init(char *memory, Size size)
{
	dc_pages_use(memory, size);
	map->n_pages = (memory + size - base) / DC_PAGE_SIZE;
	map->n_free = map->n_pages - 1;
	map->hand = 1;
	for (Size i = 0; i <= map->n_pages / DC_WORD_BITS; i++)
		map->taken[i] = 0;
	map->taken[0] = 1;
}

Size
dc_pages_for(Size bytes)
{
	return (bytes + DC_PAGE_SIZE - 1) / DC_PAGE_SIZE;
}

Size
dc_pages_total(void)
{
	return map->n_pages;
}

static void
dc_pages_mark(DcPage first, Size n_pages, bool taken)
{
	for (DcPage page = first; page < first + n_pages; page++)
	{
		uint64		bit = UINT64CONST(1) << (page % DC_WORD_BITS);

		if (taken)
			map->taken[page / DC_WORD_BITS] |= bit;
		else
			map->taken[page / DC_WORD_BITS] &= ~bit;
	}
}

/* The first run of so many free pages in [page, end), or 0. */
static DcPage
dc_pages_find(DcPage page, DcPage end, Size n_pages)
{
	Size		run = 0;

	while (page < end && run < n_pages)
	{
		uint64		word = map->taken[page / DC_WORD_BITS];
		int			bit = page % DC_WORD_BITS;
		bool		whole = bit == 0 && end - page >= DC_WORD_BITS;

		if (whole && word == PG_UINT64_MAX)
		{
			run = 0;
			page += DC_WORD_BITS;
		}
		else if (whole && word == 0)
		{
			run += DC_WORD_BITS;
			page += DC_WORD_BITS;
		}
		else
		{
			run = (word >> bit & 1) ? 0 : run + 1;
			page++;
		}
	}
	return run >= n_pages ? page - run : 0;
}

DcPage
dc_pages_get(Size n_pages)
{
	DcPage		first = 0;

	LWLockAcquire(dc_shared->page_lock, LW_EXCLUSIVE);
	if (n_pages <= map->n_free)
	{
		first = dc_pages_find(map->hand, map->n_pages, n_pages);
		if (first == 0)
			first = dc_pages_find(1, Min(map->hand + n_pages, map->n_pages),
								  n_pages);
	}
	if (first != 0)
	{
		dc_pages_mark(first, n_pages, true);
		map->n_free -= n_pages;
		map->hand = first + n_pages;
	}
	LWLockRelease(dc_shared->page_lock);
	return first;
}

void
dc_pages_put(DcPage first, Size n_pages)
{
	LWLockAcquire(dc_shared->page_lock, LW_EXCLUSIVE);
	dc_pages_mark(first, n_pages, false);
	map->n_free += n_pages;
	map->hand = first;
	LWLockRelease(dc_shared->page_lock);
}

void	   *
dc_page_address(DcPage page)
{
	return base + page * DC_PAGE_SIZE;
}

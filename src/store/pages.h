/*
 * pages.h
 *		The memory that entries lie in: runs of 4 kB pages.
 */
#ifndef DC_PAGES_H
#define DC_PAGES_H

/* A run's first page; 0 is none. */
typedef Size DcPage;

/* Begins to hand out the memory; uses what another process has begun. */
extern void dc_pages_init(char *memory, Size size);
extern void dc_pages_use(char *memory, Size size);

extern Size dc_pages_for(Size bytes);
extern Size dc_pages_total(void);

/* 0 if there are not so many side by side.  Neither can fail otherwise. */
extern DcPage dc_pages_get(Size n_pages);
extern void dc_pages_put(DcPage first, Size n_pages);

extern void *dc_page_address(DcPage page);

#endif							/* DC_PAGES_H */

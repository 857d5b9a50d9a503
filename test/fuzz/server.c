/*
 * server.c
 *		What of the server the fuzz targets need.
 *
 * Memory is malloc's, so that the address sanitizer sees each block's bounds.
 * To ask for more than the server allows is a finding.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "server.h"

/* What else is linked, but not called. */
TransactionId GetTopTransactionIdIfAny(void);
void	   *ShmemVariableCache; /* up to PostgreSQL 16 */
void	   *TransamVariables;	/* since then */

TransactionId
GetTopTransactionIdIfAny(void)
{
	abort();
}

/* Ahead of each block; of maximal alignment, as the block must be too. */
typedef struct Block
{
	struct Block *previous;
	struct Block *next;
} Block;

static Block blocks = {&blocks, &blocks};

void	   *
palloc(Size size)
{
	Block	   *block;

	CHECK(AllocSizeIsValid(size));
	block = malloc(sizeof(Block) + size);
	CHECK(block != NULL);
	block->previous = &blocks;
	block->next = blocks.next;
	block->next->previous = block;
	blocks.next = block;
	return block + 1;
}

void	   *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void
pfree(void *pointer)
{
	Block	   *block = (Block *) pointer - 1;

	block->previous->next = block->next;
	block->next->previous = block->previous;
	free(block);
}

void
free_all(void)
{
	while (blocks.next != &blocks)
		pfree(blocks.next + 1);
}

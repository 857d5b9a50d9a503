/*
 * attempt.h
 *		Something that may fail without failing the statement.
 */
#ifndef DC_ATTEMPT_H
#define DC_ATTEMPT_H

/*
 * Does the work in a subtransaction, which is rolled back in any case, and in
 * the current memory context.  Returns NULL, or the message of the error that
 * it has raised.  Cancelling and shutting down are errors of the statement.
 */
extern char *dc_attempt(void (*work) (void *arg), void *arg);

#endif							/* DC_ATTEMPT_H */

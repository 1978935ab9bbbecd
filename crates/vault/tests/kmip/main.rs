//! KMIP end to end: a real vault behind a real listener, spoken to over mutual TLS by a client that knows nothing of the
//! vault's code but the `strongroom-kmip` encoding.

mod connections;
mod port;
mod requests;
mod slow;

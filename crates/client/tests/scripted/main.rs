//! The client against servers that do what servers should not: each fault gives its own error, in bounded time.

mod certificates;
mod failover;
mod hanging;
mod objects;
mod server;
mod versions;

//! Operations, as an endpoint sees them.

mod attributes;
mod lifecycle;
mod locating;
mod objects;
mod ownership;

//! Enrolling this host.
mod pending;
mod pin;

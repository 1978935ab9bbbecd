//! `keyring_okv`, which MySQL loads.

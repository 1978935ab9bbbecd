//! MySQL's keyring component and plugin interfaces, shared by the two libraries that mysqld loads.

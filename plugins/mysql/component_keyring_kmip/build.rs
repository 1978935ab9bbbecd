//! Link options of the plugin.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The server unloads a plugin that it uninstalls. Rust code leaves things behind that point into the library
    // (destructors of thread-local values, the panic hook), so the library stays mapped until the process ends.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

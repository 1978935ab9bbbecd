//! Intel's ipsec-mb, loaded where it is installed.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Command;

use strongroom_cipher::Iv;

/// `RTLD_NOW` (`dlfcn.h`).
const RESOLVE_NOW: c_int = 2;
/// Where Debian puts libraries.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

type Start = unsafe extern "C" fn(*const u8) -> c_int;
type Encrypt = unsafe extern "C" fn(*mut u8, usize, usize, usize, *const Iv);

/// The library, with a key.
pub(crate) struct Peer(Encrypt);

impl Peer {
    /// Encrypts one page for each initialisation vector: `bytes` of every `stride`.
    pub(crate) fn encrypt(&self, data: &mut [u8], stride: usize, bytes: usize, ivs: &[Iv]) {
        assert!(bytes >= 32 && ivs.len().saturating_sub(1) * stride + bytes <= data.len());
        // SAFETY: all pages lie within the slice, and there are as many vectors as pages.
        unsafe { (self.0)(data.as_mut_ptr(), stride, bytes, ivs.len(), ivs.as_ptr()) };
    }
}

/// Compiles what stands between and loads it; or why not.
pub(crate) fn load(key: &[u8; 32]) -> Result<Peer, String> {
    let unpacked = PathBuf::from(std::env::var_os("IPSEC_MB").unwrap_or_else(|| "/".into())).join("usr");
    let (include, libraries) = (unpacked.join("include"), unpacked.join(LIBRARIES));
    if !include.join("intel-ipsec-mb.h").exists() {
        return Err(format!("{} has no intel-ipsec-mb.h", include.display()));
    }
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/ipsec_mb/peer.c");
    let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ipsec_mb.so");
    let compiled = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-I")
        .arg(&include)
        .arg("-L")
        .arg(&libraries)
        .arg(format!("-Wl,-rpath,{}", libraries.display()))
        .arg("-lIPSec_MB")
        .output()
        .map_err(|error| format!("cc cannot be run: {error}"))?;
    if !compiled.status.success() {
        return Err(String::from_utf8_lossy(&compiled.stderr).into_owned());
    }
    let path = CString::new(library.into_os_string().into_vec()).map_err(|error| error.to_string())?;
    // SAFETY: the path and the names end in a NUL, and the functions have these types in `peer.c`.
    unsafe {
        let handle = dlopen(path.as_ptr(), RESOLVE_NOW);
        if handle.is_null() {
            return Err(CStr::from_ptr(dlerror()).to_string_lossy().into_owned());
        }
        let (start, encrypt) =
            (dlsym(handle, c"peer_start".as_ptr()), dlsym(handle, c"peer_encrypt".as_ptr()));
        if start.is_null() || encrypt.is_null() {
            return Err("its functions are missing".to_owned());
        }
        let start: Start = core::mem::transmute::<*mut c_void, Start>(start);
        if start(key.as_ptr()) == 0 {
            return Err("it does not work on this processor".to_owned());
        }
        Ok(Peer(core::mem::transmute::<*mut c_void, Encrypt>(encrypt)))
    }
}

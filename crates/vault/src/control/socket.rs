//! The socket itself.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

/// Bytes of a request at most.
pub(crate) const LINE_LEN_MAX: usize = 64 * 1024;

/// A socket's path must fit into `sockaddr_un` (unix(7)): 108 bytes with the final zero.
const SOCKET_PATH_LEN_MAX: usize = 107;

/// Runs `act` with a path that leads to `path` and is short enough for a socket's address.
pub(super) fn with_short_path<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return act(path);
    };
    if path.as_os_str().len() <= SOCKET_PATH_LEN_MAX {
        return act(path);
    }
    let directory = std::fs::File::open(parent)?;
    act(&PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name))
}

/// Listens on `path`, mode 0600. A socket that a server left behind is replaced; the vault's lock says that it is dead.
pub(crate) fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = with_short_path(path, |path| std::os::unix::net::UnixListener::bind(path))?;
    // Nobody else can enter the directory (0700), so that there is no moment at which others could connect.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Reads one line. It may hold a passphrase, so that it is wiped.
pub(crate) async fn read_line(stream: &mut tokio::net::UnixStream) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room for the longest line: the buffer must not grow, because growing leaves copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX));
    loop {
        let byte = match stream.read_u8().await {
            Ok(byte) => byte,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && line.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        };
        if byte == b'\n' {
            return Ok(Some(line));
        }
        if line.len() == LINE_LEN_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        line.push(byte);
    }
}

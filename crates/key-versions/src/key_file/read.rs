//! Reading a key file, whatever it is: a regular file, a named pipe, a Unix socket.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use zeroize::Zeroizing;

use super::{FILE_BYTES_MAX, KeyFileError};

/// How long the other side of a socket, or of a pipe that is read again, is given.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How often a pipe is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Whether this is the first time that the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The server is starting, and waits for the writer of a pipe, as MariaDB's own plugin does.
    First,
    /// A statement or a thread is waiting, so a pipe must have a writer already.
    Again,
}

/// All bytes of the file.
pub(super) fn read(path: &Path, turn: Turn) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let not_found = |error| KeyFileError::NotFound(path.to_path_buf(), error);
    let kind = fs::metadata(path).map_err(not_found)?.file_type();
    if kind.is_socket() {
        return read_socket(path, PATIENCE);
    }
    if kind.is_fifo() && turn == Turn::Again {
        return read_pipe_again(path);
    }
    let mut file = File::open(path).map_err(not_found)?;
    all(path, |room| file.read(room))
}

/// Connects and reads to the end, in `patience` altogether.
fn read_socket(path: &Path, patience: Duration) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let deadline = Instant::now() + patience;
    let stream =
        connect(path, patience).map_err(|error| KeyFileError::NotFound(path.to_path_buf(), timely(error)))?;
    all(path, |room| {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Errno::TIMEDOUT.into());
        }
        stream.set_read_timeout(Some(left))?;
        (&stream).read(room).map_err(timely)
    })
}

/// Where nobody accepts and the queue is full, connecting waits for ever unless it is told not to: unix(7), socket(7).
fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    let address = SocketAddrUnix::new(path)?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &address))?;
    Ok(socket.into())
}

/// Time that is up is told by sockets as if one should try again.
fn timely(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { Errno::TIMEDOUT.into() } else { error }
}

/// Opening a pipe waits for a writer, for ever if there is none; so this one is opened without waiting.
pub(super) fn read_pipe_again(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let mut pipe = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(|error| KeyFileError::NotFound(path.to_path_buf(), error))?;
    let deadline = Instant::now() + PATIENCE;
    let bytes = all(path, |room| {
        loop {
            match pipe.read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                    sleep(LOOK);
                }
                result => return result.map_err(timely),
            }
        }
    })?;
    if bytes.is_empty() { Err(KeyFileError::NoWriter(path.to_path_buf())) } else { Ok(bytes) }
}

fn all(
    path: &Path,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    // The whole room at once, because growing would leave copies of keys behind.
    let mut bytes = Zeroizing::new(vec![0; FILE_BYTES_MAX + 1]);
    let mut len = 0;
    while len <= FILE_BYTES_MAX {
        match read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(KeyFileError::NotReadable(path.to_path_buf(), error)),
        }
    }
    if len > FILE_BYTES_MAX {
        return Err(KeyFileError::TooLarge(path.to_path_buf()));
    }
    bytes.truncate(len);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::thread;

    use super::*;

    #[test]
    fn a_file_may_have_a_mebibyte_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, vec![b'#'; FILE_BYTES_MAX]).unwrap();
        assert_eq!(read(&path, Turn::First).unwrap().len(), FILE_BYTES_MAX);
        fs::write(&path, vec![b'#'; FILE_BYTES_MAX + 1]).unwrap();
        assert!(matches!(read(&path, Turn::Again), Err(KeyFileError::TooLarge(_))));
        assert!(matches!(read(&folder.path().join("none"), Turn::First), Err(KeyFileError::NotFound(..))));
        assert!(matches!(read(folder.path(), Turn::First), Err(KeyFileError::NotReadable(..))));
    }

    #[test]
    fn a_pipe_is_read_to_its_end_and_without_a_writer_it_is_not_waited_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        for turn in [Turn::First, Turn::Again] {
            let (ready, go) = std::sync::mpsc::channel();
            let writer = thread::spawn({
                let path = path.clone();
                move || {
                    // Open for both, so that opening does not wait either.
                    let mut pipe = OpenOptions::new().read(true).write(true).open(path).unwrap();
                    pipe.write_all(b"first ").unwrap();
                    ready.send(()).unwrap();
                    pipe.write_all(&[b'x'; 5000]).unwrap();
                    // Closed only when somebody has read it, or the pipe would be empty again.
                    while rustix::io::ioctl_fionread(&pipe).unwrap() > 0 {
                        thread::yield_now();
                    }
                }
            });
            go.recv().unwrap();
            assert_eq!(read(&path, turn).unwrap().len(), 5006);
            writer.join().unwrap();
        }
        assert!(matches!(read(&path, Turn::Again), Err(KeyFileError::NoWriter(_))));
    }

    #[test]
    fn a_socket_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"1;").unwrap();
            stream.write_all(b"00\n").unwrap();
        });
        assert_eq!(*read(&path, Turn::Again).unwrap(), b"1;00\n");
        server.join().unwrap();
        // Nobody listens any more.
        assert!(matches!(read(&path, Turn::First), Err(KeyFileError::NotFound(..))));
    }

    #[test]
    fn a_socket_whose_owner_hangs_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        // One may wait in the queue; whoever comes then waits to get there.
        rustix::net::listen(&listener, 0).unwrap();
        let patience = Duration::from_millis(50);
        let said = || read_socket(&path, patience).unwrap_err().to_string();
        let in_queue = UnixStream::connect(&path).unwrap();
        assert!(said().contains("timed out"), "{}", said());
        drop((listener.accept().unwrap(), in_queue));
        assert!(said().contains("timed out"), "{}", said());
    }
}

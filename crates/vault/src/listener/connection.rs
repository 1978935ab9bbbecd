//! One connection: requests in, replies out, each within its deadline.
//!
//! Works on any stream, knows nothing of TLS or of what a message says. A request is read straight into a reused buffer and
//! answered in the same task, and a reply leaves in one write: some clients read a whole reply with one call.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use strongroom_kmip::ttlv::MessageBytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Deadlines;
use super::buffer::ReceiveBuffer;
use super::control::{Control, Stop};

/// Tag, type and length: what every TTLV item begins with (KMIP 1.4 §9.1.1).
pub(crate) const HEADER_BYTES: usize = 8;

/// How long a peer that was refused may still send, so that the refusal reaches it before the connection is reset.
const LINGER: Duration = Duration::from_secs(1);

/// What to send, and whether the conversation goes on.
pub(crate) struct Reply {
    /// The whole response message; nothing is sent when it is empty.
    pub(crate) bytes: MessageBytes,
    /// Whether another request may follow.
    pub(crate) keep_open: bool,
}

/// Answers the messages of one connection.
pub(crate) trait Responder {
    /// The total length of the message that begins with these bytes.
    ///
    /// # Errors
    /// A last reply, when no such message will be read.
    fn message_length(&mut self, header: &[u8; HEADER_BYTES]) -> Result<usize, Reply>;

    /// Answers one whole message.
    fn respond(&mut self, message: &[u8]) -> impl Future<Output = Reply> + Send;
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed it between two messages.
    PeerClosed,
    /// The peer closed it within a message.
    Truncated,
    /// No message for the whole idle time.
    Idle,
    /// A message was begun and not finished in time, or a reply was not taken in time.
    TooSlow(Phase),
    /// The last reply was sent.
    Refused,
    /// The vault stops.
    ShuttingDown,
    /// The endpoint was revoked.
    Revoked,
    /// The connection broke.
    Broken(io::Error),
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for a message.
    Idle,
    /// The first eight bytes of one.
    Header,
    /// The rest of it.
    Body,
    /// Sending the reply.
    Reply,
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::ShuttingDown => Self::ShuttingDown,
            Stop::Revoked => Self::Revoked,
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S, R>(
    stream: &mut S,
    responder: &mut R,
    control: &Control,
    deadlines: &Deadlines,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Responder,
{
    let mut buffer = ReceiveBuffer::new();
    // One timer and one wake-up serve the whole connection. Both stay registered between requests: moving a timer
    // later is one atomic store, and a request that is already there touches neither.
    let mut timer = pin!(sleep_until(Instant::now() + deadlines.idle));
    let mut woken = pin!(control.woken());
    loop {
        let length =
            match receive(stream, responder, &mut buffer, control, timer.as_mut(), woken.as_mut(), deadlines)
                .await
            {
                Ok(Received::Message { length }) => length,
                Ok(Received::Refuse(reply)) => {
                    let sent = send(stream, &reply, timer.as_mut(), deadlines).await;
                    linger(stream).await;
                    return sent.err().unwrap_or(End::Refused);
                }
                Err(end) => return end,
            };
        // Asked again here, because a request may have waited in the buffer when its endpoint was revoked.
        if control.stopped() == Some(Stop::Revoked) {
            return End::Revoked;
        }
        let reply = responder.respond(&buffer.received()[..length]).await;
        buffer.consume(length);
        if let Err(end) = send(stream, &reply, timer.as_mut(), deadlines).await {
            return end;
        }
        if !reply.keep_open {
            linger(stream).await;
            return End::Refused;
        }
    }
}

enum Received {
    /// The first `length` bytes of the buffer are a message.
    Message { length: usize },
    /// No message will be read: the last reply.
    Refuse(Reply),
}

/// Reads until the buffer holds a whole message.
async fn receive<S, R, W>(
    stream: &mut S,
    responder: &mut R,
    buffer: &mut ReceiveBuffer,
    control: &Control,
    mut timer: Pin<&mut Sleep>,
    mut woken: Pin<&mut W>,
    deadlines: &Deadlines,
) -> Result<Received, End>
where
    S: AsyncRead + Unpin,
    R: Responder,
    W: Future<Output = ()>,
{
    let mut phase = None;
    let mut length = None;
    let mut told = false;
    loop {
        let received = buffer.received();
        if length.is_none()
            && let Some(header) = received.first_chunk::<HEADER_BYTES>()
        {
            match responder.message_length(header) {
                Ok(total) => length = Some(total),
                Err(reply) => return Ok(Received::Refuse(reply)),
            }
        }
        if let Some(length) = length
            && received.len() >= length
        {
            return Ok(Received::Message { length });
        }
        let next = match (received.is_empty(), length) {
            (true, _) => Phase::Idle,
            (false, None) => Phase::Header,
            (false, Some(_)) => Phase::Body,
        };
        // Only when the phase begins: a peer that drips one byte at a time does not move its deadline.
        if phase != Some(next) {
            phase = Some(next);
            timer.as_mut().reset(Instant::now() + deadlines.of(next));
        }
        let count = poll_fn(|cx| {
            match control.stopped() {
                // A message that has begun is still read and answered, within its deadline.
                Some(Stop::ShuttingDown) if next != Phase::Idle => {}
                Some(stop) => return Poll::Ready(Err(End::from(stop))),
                None => {}
            }
            let mut room = ReadBuf::new(buffer.room());
            match Pin::new(&mut *stream).poll_read(cx, &mut room) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(room.filled().len())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(End::Broken(error))),
                Poll::Pending => {}
            }
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(match next {
                    Phase::Idle => End::Idle,
                    late => End::TooSlow(late),
                }));
            }
            if !told && woken.as_mut().poll(cx).is_ready() {
                told = true;
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await?;
        if count == 0 {
            return Err(if buffer.received().is_empty() { End::PeerClosed } else { End::Truncated });
        }
        buffer.advance(count);
    }
}

/// Sends a reply in one write.
async fn send<S>(
    stream: &mut S,
    reply: &Reply,
    mut timer: Pin<&mut Sleep>,
    deadlines: &Deadlines,
) -> Result<(), End>
where
    S: AsyncWrite + Unpin,
{
    if reply.bytes.is_empty() {
        return Ok(());
    }
    let mut armed = false;
    let mut sent = pin!(async {
        stream.write_all(&reply.bytes).await?;
        stream.flush().await
    });
    poll_fn(|cx| {
        if let Poll::Ready(result) = sent.as_mut().poll(cx) {
            return Poll::Ready(result.map_err(End::Broken));
        }
        if !armed {
            armed = true;
            timer.as_mut().reset(Instant::now() + deadlines.reply);
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(End::TooSlow(Phase::Reply))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Sends a last reply to a peer that will not be served.
pub(super) async fn turn_away<S>(stream: &mut S, bytes: MessageBytes, patience: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reply = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    if let Ok(Ok(())) = tokio::time::timeout(patience, reply).await {
        linger(stream).await;
    }
}

/// Ends the stream in order (TLS close_notify), without waiting for the peer.
pub(super) async fn say_goodbye<S>(stream: &mut S)
where
    S: AsyncWrite + Unpin,
{
    // Whatever happens here, the connection is over.
    let _ = tokio::time::timeout(LINGER, stream.shutdown()).await;
}

/// Says goodbye and reads what the peer had already sent. Closing with unread bytes would reset the connection, and a reset
/// may overtake the reply.
async fn linger<S>(stream: &mut S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let goodbye = async {
        stream.shutdown().await?;
        let mut discarded = [0; 4096];
        while stream.read(&mut discarded).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // Whatever happens here, the connection is over.
    let _ = tokio::time::timeout(LINGER, goodbye).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Context;
    use tokio::io::{DuplexStream, duplex};
    use zeroize::Zeroizing;

    const SHORT: Duration = Duration::from_millis(80);
    const LONG: Duration = Duration::from_secs(30);

    const PATIENT: Deadlines =
        Deadlines { handshake: LONG, idle: LONG, header: LONG, body: LONG, reply: LONG };

    /// Answers every message with its own bytes. A message of more than 1000 bytes is refused; one whose body begins with `X`
    /// is the last.
    #[derive(Default)]
    struct Echo {
        answered: usize,
    }

    impl Responder for Echo {
        fn message_length(&mut self, header: &[u8; HEADER_BYTES]) -> Result<usize, Reply> {
            let body = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
            if body > 1000 {
                return Err(Reply { bytes: Zeroizing::new(b"too large".to_vec()), keep_open: false });
            }
            Ok(HEADER_BYTES + body)
        }

        async fn respond(&mut self, message: &[u8]) -> Reply {
            self.answered += 1;
            Reply { bytes: Zeroizing::new(message.to_vec()), keep_open: message.get(8) != Some(&b'X') }
        }
    }

    fn message(body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x42, 0x00, 0x78, 0x01];
        bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    /// Serves one end of a pipe; gives the other end and what becomes of it.
    fn start(
        deadlines: Deadlines,
    ) -> (DuplexStream, std::sync::Arc<Control>, tokio::task::JoinHandle<(End, usize)>) {
        let (client, mut server) = duplex(64 * 1024);
        let control = std::sync::Arc::new(Control::default());
        let handle = std::sync::Arc::clone(&control);
        let task = tokio::spawn(async move {
            let mut echo = Echo::default();
            let end = serve(&mut server, &mut echo, &handle, &deadlines).await;
            (end, echo.answered)
        });
        (client, control, task)
    }

    async fn read_exactly(client: &mut DuplexStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn messages_in_one_packet_are_answered_in_order() {
        let (mut client, _control, task) = start(PATIENT);
        let both = [message(b"first"), message(b"second!")].concat();
        client.write_all(&both).await.unwrap();
        assert_eq!(read_exactly(&mut client, both.len()).await, both);
        drop(client);
        assert!(matches!(task.await.unwrap(), (End::PeerClosed, 2)));
    }

    #[tokio::test]
    async fn a_silent_peer_is_dropped_when_its_idle_time_is_over() {
        let (_client, _control, task) = start(Deadlines { idle: SHORT, ..PATIENT });
        assert!(matches!(task.await.unwrap(), (End::Idle, 0)));
    }

    #[tokio::test]
    async fn dripping_bytes_does_not_move_the_deadline_of_the_header_or_the_body() {
        for (deadlines, phase, sent) in [
            (Deadlines { header: SHORT, ..PATIENT }, Phase::Header, 0),
            (Deadlines { body: SHORT, ..PATIENT }, Phase::Body, 8),
        ] {
            let (mut client, _control, task) = start(deadlines);
            let bytes = message(&[b'a'; 900]);
            client.write_all(&bytes[..sent]).await.unwrap();
            let drip = async {
                for byte in &bytes[sent..] {
                    if client.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::select! {
                ended = task => match ended.unwrap() {
                    (End::TooSlow(late), 0) => assert_eq!(late, phase),
                    other => panic!("{other:?}"),
                },
                () = drip => panic!("the whole message was taken, one byte at a time"),
            }
        }
    }

    #[tokio::test]
    async fn a_peer_that_takes_no_replies_is_dropped() {
        let (mut client, _control, task) = start(Deadlines { reply: SHORT, ..PATIENT });
        // The pipe holds 64 KiB each way; replies fill it while nobody reads.
        let bytes = message(&[b'a'; 992]);
        while client.write_all(&bytes).await.is_ok() {
            if task.is_finished() {
                break;
            }
        }
        assert!(matches!(task.await.unwrap(), (End::TooSlow(Phase::Reply), _)));
    }

    #[tokio::test]
    async fn revocation_ends_an_idle_connection_at_once() {
        let (mut client, control, task) = start(PATIENT);
        client.write_all(&message(b"one")).await.unwrap();
        read_exactly(&mut client, 11).await;
        control.stop(Stop::Revoked);
        let (end, answered) = tokio::time::timeout(Duration::from_secs(1), task).await.unwrap().unwrap();
        assert!(matches!(end, End::Revoked));
        assert_eq!(answered, 1);
    }

    #[tokio::test]
    async fn a_request_that_had_begun_is_answered_before_the_vault_stops() {
        let (mut client, control, task) = start(PATIENT);
        let bytes = message(b"in hand");
        client.write_all(&bytes[..10]).await.unwrap();
        // The task has taken the first bytes when the pipe has room for all it can hold again; yield until then.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        control.stop(Stop::ShuttingDown);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        client.write_all(&bytes[10..]).await.unwrap();
        assert_eq!(read_exactly(&mut client, bytes.len()).await, bytes);
        assert!(matches!(task.await.unwrap(), (End::ShuttingDown, 1)));
    }

    #[tokio::test]
    async fn a_refused_message_is_answered_before_the_connection_closes() {
        let (mut client, _control, task) = start(PATIENT);
        client.write_all(&[0x42, 0x00, 0x78, 0x01, 0xFF, 0xFF, 0xFF, 0xF0]).await.unwrap();
        client.write_all(&[0; 5000]).await.unwrap();
        assert_eq!(read_exactly(&mut client, 9).await, b"too large");
        drop(client);
        assert!(matches!(task.await.unwrap(), (End::Refused, 0)));
    }

    #[tokio::test]
    async fn a_last_reply_closes_the_connection() {
        let (mut client, _control, task) = start(PATIENT);
        client.write_all(&message(b"X")).await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, message(b"X"));
        drop(client);
        assert!(matches!(task.await.unwrap(), (End::Refused, 1)));
    }

    #[tokio::test]
    async fn a_connection_cut_within_a_message_is_told_apart() {
        let (mut client, _control, task) = start(PATIENT);
        client.write_all(&message(b"cut")[..10]).await.unwrap();
        drop(client);
        assert!(matches!(task.await.unwrap(), (End::Truncated, 0)));
    }

    /// Counts the writes that reach the stream.
    struct CountWrites {
        inner: DuplexStream,
        writes: usize,
    }

    impl AsyncRead for CountWrites {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for CountWrites {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes += 1;
            Pin::new(&mut self.inner).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_shutdown(cx)
        }
    }

    #[tokio::test]
    async fn each_reply_is_one_write() {
        let (mut client, inner) = duplex(64 * 1024);
        let mut server = CountWrites { inner, writes: 0 };
        client.write_all(&[message(&[1; 900]), message(&[2; 900])].concat()).await.unwrap();
        client.shutdown().await.unwrap();
        let end = serve(&mut server, &mut Echo::default(), &Control::default(), &PATIENT).await;
        assert!(matches!(end, End::PeerClosed));
        assert_eq!(server.writes, 2);
    }
}

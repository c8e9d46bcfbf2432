/*!
A TCP proxy with a fault: between the program and what it talks to, on
127.0.0.1. What is wrong can be changed while connections are open.
*/

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Everything comes so much later.
    Delay(Duration),
    /// No more than so many bytes a second go to the server.
    Throttle(usize),
    /// The connection is closed once so many bytes went to the server.
    CutAfter(usize),
    /// It is reset, once so many bytes went to the server.
    ResetAfter(usize),
    /// The server gets everything; of its answers nothing arrives, and the connection is reset.
    LoseAnswers,
    /// Connections are taken, and nothing goes anywhere.
    Freeze,
    /// A bit of the byte at this place of each answer is another one; answers are short, and come in one piece.
    Flip(usize),
}

/// A proxy before one server.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    wrong: Arc<Mutex<Wrong>>,
}

/// What is wrong, and how often that struck.
struct Wrong {
    fault: Fault,
    strikes: usize,
}

impl Proxy {
    /// Listens, and connects to `server`.
    pub fn start(server: u16, fault: Fault) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let wrong = Arc::new(Mutex::new(Wrong { fault, strikes: 0 }));
        let shared = Arc::clone(&wrong);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let wrong = Arc::clone(&shared);
                thread::spawn(move || join(&client, server, &wrong));
            }
        });
        Proxy { port, wrong }
    }

    /// How often the fault of now did something to what was carried: a test of a fault that never struck shows nothing.
    pub fn strikes(&self) -> usize {
        self.wrong.lock().unwrap().strikes
    }

    /// What is wrong from now on, also on connections that are open. How often the former fault struck.
    pub fn set(&self, fault: Fault) -> usize {
        let new = Wrong { fault, strikes: 0 };
        std::mem::replace(&mut *self.wrong.lock().unwrap(), new).strikes
    }
}

/// Counts that `now` strikes, unless another fault was set since it was looked up.
fn strike(wrong: &Mutex<Wrong>, now: Fault) {
    let mut wrong = wrong.lock().unwrap();
    if wrong.fault == now {
        wrong.strikes += 1;
    }
}

/// Carries bytes both ways until one side ends.
fn join(client: &TcpStream, server: u16, wrong: &Mutex<Wrong>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    for stream in [client, &server] {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| carry(client, &server, Way::There, wrong));
        carry(&server, client, Way::Back, wrong);
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, way: Way, wrong: &Mutex<Wrong>) {
    let mut bytes = vec![0; 16 * 1024];
    let (mut carried, mut frozen, started) = (0, false, Instant::now());
    loop {
        let now = wrong.lock().unwrap().fault;
        if now == Fault::Freeze {
            // Once for each way of a connection.
            if !std::mem::replace(&mut frozen, true) {
                strike(wrong, now);
            }
            thread::sleep(Duration::from_millis(5));
            continue;
        }
        let most = match now {
            Fault::Throttle(per_second) if way == Way::There => (per_second / 20).clamp(1, bytes.len()),
            _ => bytes.len(),
        };
        let read = match from.read(&mut bytes[..most]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        };
        let mut part = &mut bytes[..read];
        match now {
            Fault::Delay(delay) => {
                strike(wrong, now);
                thread::sleep(delay);
            }
            Fault::Throttle(per_second) if way == Way::There => {
                strike(wrong, now);
                let due = Duration::from_secs_f64(carried as f64 / per_second as f64);
                thread::sleep(due.saturating_sub(started.elapsed()));
            }
            Fault::CutAfter(most) | Fault::ResetAfter(most)
                if way == Way::There && carried + read >= most =>
            {
                strike(wrong, now);
                part = &mut part[..most.saturating_sub(carried)];
                let _ = to.write_all(part);
                if matches!(now, Fault::ResetAfter(_)) {
                    for stream in [from, to] {
                        let _ = set_socket_linger(stream, Some(Duration::ZERO));
                    }
                }
                break;
            }
            Fault::LoseAnswers if way == Way::Back => {
                strike(wrong, now);
                let _ = set_socket_linger(to, Some(Duration::ZERO));
                break;
            }
            Fault::Flip(place) if way == Way::Back && place < read => {
                strike(wrong, now);
                part[place] ^= 1;
            }
            _ => {}
        }
        carried += part.len();
        if to.write_all(part).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[test]
fn a_fault_has_its_own_strikes_alone() {
    let proxy = Proxy::start(1, Fault::Freeze);
    strike(&proxy.wrong, Fault::Freeze);
    assert_eq!(proxy.strikes(), 1);
    assert_eq!(proxy.set(Fault::LoseAnswers), 1);
    // A connection had looked before that.
    strike(&proxy.wrong, Fault::Freeze);
    assert_eq!(proxy.strikes(), 0);
}

/*!
A TCP proxy with a fault: between the program and what it talks to, on
127.0.0.1. What is wrong can be changed while connections are open.
*/

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// A bit of the byte at this place of each answer is another one.
    Flip(usize),
}

/// A proxy before one server.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    fault: Arc<Mutex<Fault>>,
    strikes: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens, and connects to `server`.
    pub fn start(server: u16, fault: Fault) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fault = Arc::new(Mutex::new(fault));
        let strikes = Arc::new(AtomicUsize::new(0));
        let shared = Shared { fault: Arc::clone(&fault), strikes: Arc::clone(&strikes) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || join(&client, server, &shared));
            }
        });
        Proxy { port, fault, strikes }
    }

    /// How often something was wrong with what it carried: a test of a fault that never struck shows nothing.
    pub fn strikes(&self) -> usize {
        self.strikes.load(Ordering::Relaxed)
    }

    /// What is wrong from now on, also on connections that are open.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

/// What all connections know.
#[derive(Clone)]
struct Shared {
    fault: Arc<Mutex<Fault>>,
    strikes: Arc<AtomicUsize>,
}

impl Shared {
    fn strike(&self) {
        self.strikes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Carries bytes both ways until one side ends.
fn join(client: &TcpStream, server: u16, shared: &Shared) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    for stream in [client, &server] {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| carry(client, &server, Way::There, shared));
        carry(&server, client, Way::Back, shared);
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, way: Way, shared: &Shared) {
    let mut bytes = vec![0; 16 * 1024];
    let (mut carried, mut frozen, started) = (0, false, Instant::now());
    loop {
        let now = *shared.fault.lock().unwrap();
        if now == Fault::Freeze {
            // Once for each way of a connection.
            if !std::mem::replace(&mut frozen, true) {
                shared.strike();
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
                shared.strike();
                thread::sleep(delay);
            }
            Fault::Throttle(per_second) if way == Way::There => {
                shared.strike();
                let due = Duration::from_secs_f64(carried as f64 / per_second as f64);
                thread::sleep(due.saturating_sub(started.elapsed()));
            }
            Fault::CutAfter(most) | Fault::ResetAfter(most)
                if way == Way::There && carried + read >= most =>
            {
                shared.strike();
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
                shared.strike();
                let _ = set_socket_linger(to, Some(Duration::ZERO));
                break;
            }
            Fault::Flip(place) if way == Way::Back && (carried..carried + read).contains(&place) => {
                shared.strike();
                part[place - carried] ^= 1;
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

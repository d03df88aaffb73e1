//! A network between two nodes that can be cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

/// Passes on what comes, until it is cut: then it takes everything and passes on nothing, as a network does that loses packets.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    /// All that dialling ends said.
    said: Mutex<Vec<u8>>,
    /// Their streams.
    dialling: Mutex<Vec<TcpStream>>,
    is_hanging_up: AtomicBool,
}

impl Relay {
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, state) = (listener.local_addr().expect("an address"), Arc::<State>::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for dialling in listener.incoming().map_while(Result::ok) {
                let Ok(dialled) = TcpStream::connect(target) else { continue };
                let copy = |stream: &TcpStream| stream.try_clone().expect("another handle");
                shared.is_hanging_up.store(false, SeqCst);
                shared.dialling.lock().expect("unpoisoned").push(copy(&dialling));
                pass(copy(&dialling), copy(&dialled), Arc::clone(&shared), true);
                pass(dialled, dialling, Arc::clone(&shared), false);
            }
        });
        Self { address, state }
    }

    pub fn cut(&self) {
        self.state.is_cut.store(true, SeqCst);
    }

    /// Passes on what comes on new streams. What was lost stays lost, and so does what belongs to it.
    pub fn heal(&self) {
        self.state.is_cut.store(false, SeqCst);
    }

    /// Ends the streams for those who dialled, and lets those who were dialled believe that they go on.
    pub fn hang_up_on_diallers(&self) {
        self.state.is_hanging_up.store(true, SeqCst);
        for dialling in self.state.dialling.lock().expect("unpoisoned").drain(..) {
            let _ = dialling.shutdown(Shutdown::Both);
        }
    }

    pub fn said_by_diallers(&self) -> Vec<u8> {
        self.state.said.lock().expect("unpoisoned").clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: Arc<State>, is_noted: bool) {
    thread::spawn(move || {
        let (mut bytes, mut has_lost) = ([0; 16384], false);
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            has_lost |= state.is_cut.load(SeqCst);
            if is_noted {
                state.said.lock().expect("unpoisoned").extend_from_slice(&bytes[..count]);
            }
            // Whom nobody hears any more is not told.
            has_lost |= !has_lost && to.write_all(&bytes[..count]).is_err();
        }
        if !state.is_hanging_up.load(SeqCst) {
            let _ = to.shutdown(Shutdown::Both);
        }
    });
}

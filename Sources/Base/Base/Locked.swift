import Synchronization

#if THREAD_SANITIZER
    import Glibc

    /// A value behind a lock, for builds under the thread sanitizer: the contended path of `Synchronization.Mutex` lies
    /// in a library that is not instrumented, so the sanitizer takes what it orders for races. pthread's it knows.
    package struct Locked<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
        // `mutex` guards `value`; both live on the heap and never move.
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private let value: UnsafeMutablePointer<Value>

        package init(_ initial: consuming sending Value) {
            mutex = .allocate(capacity: 1)
            pthread_mutex_init(mutex, nil)
            value = .allocate(capacity: 1)
            value.initialize(to: initial)
        }

        deinit {
            value.deinitialize(count: 1)
            value.deallocate()
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
        }

        package borrowing func withLock<Result: ~Copyable, Failure: Error>(
            _ body: (inout Value) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return try body(&value.pointee)
        }
    }
#else
    /// A value behind a lock. The one lock of the project; see its other form for why it has a name of its own.
    package typealias Locked<Value: ~Copyable> = Mutex<Value>
#endif

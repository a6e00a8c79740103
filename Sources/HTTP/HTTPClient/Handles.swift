import Base
import CCurl
import Glibc

/// libcurl's multi handle: the connections and the exchanges on them.
///
/// Everything but ``wake()`` belongs to the driver's thread.
struct MultiHandle: Sendable {
    /// Connections to all hosts together.
    static let connectionsMax = 1024

    // libcurl lets any thread call curl_multi_wakeup; for all else there is the driver's thread alone.
    nonisolated(unsafe) let pointer: UnsafeMutableRawPointer

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(connectionsPerHostMax: Int) {
        guard Self.isLibraryReady, let pointer = curl_multi_init() else { fatalError("out of memory") }
        self.pointer = pointer
        vstack_curl_multi_set_long(pointer, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsPerHostMax)
        vstack_curl_multi_set_long(pointer, CURLMOPT_MAX_TOTAL_CONNECTIONS, Self.connectionsMax)
        vstack_curl_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, Self.connectionsMax)
    }

    func wake() { curl_multi_wakeup(pointer) }
}

/// libcurl's easy handle with the memory it points to. It never leaves the driver's thread.
final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var headerList: UnsafeMutablePointer<curl_slist>?

    init() {
        guard let pointer = curl_easy_init() else { fatalError("out of memory") }
        self.pointer = pointer
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.pointee = 0
    }

    deinit {
        curl_easy_cleanup(pointer)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    /// Forgets every option and keeps what makes the handle cheap to use again.
    func reset() {
        curl_easy_reset(pointer)
        curl_slist_free_all(headerList)
        headerList = nil
        errorText.pointee = 0
        set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
    }

    func set(_ option: CURLoption, _ value: Int) { vstack_curl_set_long(pointer, option, value) }
    func set(_ option: CURLoption, _ value: String) { vstack_curl_set_string(pointer, option, value) }
    func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) {
        vstack_curl_set_pointer(pointer, option, value)
    }
    func set(_ option: CURLoption, _ value: vstack_curl_data_callback) {
        vstack_curl_set_callback(pointer, option, value)
    }
    func setOffset(_ option: CURLoption, _ value: Int) { vstack_curl_set_offset(pointer, option, curl_off_t(value)) }
    func setSeek(_ value: vstack_curl_seek_callback) { vstack_curl_set_seek_callback(pointer, value) }

    /// Lines of `Name: value`.
    func setHeaders(_ lines: [String]) {
        for line in lines { headerList = curl_slist_append(headerList, line) }
        set(CURLOPT_HTTPHEADER, UnsafeMutableRawPointer(headerList))
    }

    func long(_ info: CURLINFO) -> Int {
        var value = 0
        vstack_curl_get_long(pointer, info, &value)
        return value
    }

    func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        vstack_curl_get_offset(pointer, info, &value)
        return Int(value)
    }

    /// What went wrong: the system's word where a connection could not be made, which is shorter than libcurl's, else
    /// libcurl's.
    func explanation(of code: CURLcode) -> String {
        let reason = long(CURLINFO_OS_ERRNO)
        if code == CURLE_COULDNT_CONNECT, reason != 0 { return String(cString: strerror(Int32(reason))) }
        return explanationOfLibcurl(code)
    }

    private func explanationOfLibcurl(_ code: CURLcode) -> String {
        errorText.pointee == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorText)
    }
}

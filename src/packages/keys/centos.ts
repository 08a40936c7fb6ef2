/**
 * Public keys of the distribution, by their fingerprints, which are pinned: each as base64 of its binary form, without other
 * people's signatures.
 *
 * From distribution-gpg-keys (CC0-1.0), which has them from the distribution's own package.
 */
export const CENTOS_KEYS: Readonly<Record<string, string>> = {
  // CentOS (CentOS Official Signing Key)
  '99DB70FAE1D7CE227FB6488205B555B38483C65D':
    'mQINBFzMWxkBEADHrskpBgN9OphmhRkc7P/YrsAGSvvl7kfu+e9KAaU6f5MeAVynrIoM43syyGkgFyWgjZM8/rur7EMPY2yt+2q/1ZfLVCRn9856JqTIq0XRpDUe4nKQ8BlA' +
    '7wDVZoSDxUZkSuTIyExbDf0cpw89Tcf62Mxmi8jh74vRlPy1PgjWL5494b3X5fxDidH4bqPZyxTBqPrUFuo+EfUVEqiGF94Ppq6ZUvrBGOVo1V1+Ifm9CGEK597caevcGc1R' +
    'FlgxIgN84UpuDjPR9/zSndwJ7XsXYvZ6HXcKGagRKsfYDWGPkA5cOL/ef+yObOnC43yPUvpggQ4KaNJ6+SMTZOKikM8yciyBwLqwrjo8FlJgkv8Vfag/2UR7JINbyqHHoLUh' +
    'Q2m6HXSwK4YjtwidF9EUkaBZWrrskYR3IRZLXlWqeOi/+ezYOW0mvufrkcvsh+TKlVVnuwmEPjJ8mwUSpsLdfPJo1DHsd8FS03SCKPaXFdD7ePfEjiYknHpQaKE01aWVSLUi' +
    'ygn7F7rYemGqV9Vt7tBw5pz0vqSC72a5E3zFzIIuHx6aANryGat3aqU3qtBXOrA/dPkX9cWE+UR5wo/A2UdKJZLlGhM2WRJ3ltmGT48V9CeS6N9Ym4CKdzvg7EWjlTlFrd/8' +
    'WJ2KoqOE9leDPeXRPncubJfJ6LLIHyG09h9kKQARAQABtDpDZW50T1MgKENlbnRPUyBPZmZpY2lhbCBTaWduaW5nIEtleSkgPHNlY3VyaXR5QGNlbnRvcy5vcmc+iQI3BBMB' +
    'CAAhAhsDBgsJCAcDAgYVCAIJCgsDFgIBAh4BAheABQJczFsaAAoJEAW1VbOEg8ZdvOgQAMFTGIQokADy5+CynFKjfO7R0VVpJxmYGVr1TjnKaHmjxnJaYqoha9ukGgmLu0r+' +
    'lJ42Kk6nREk1vlxfRAfiWd00Zkm+K3IMq1/DE0heC2vX8qqjsLJs3jzq0hgNvo9X0uHDaA4J1BHsD8sE5in/f4SivjbngvFovRGU1XLNCgoqpFNcROP18LqKUw8WtqgWdnYB' +
    'a5i6D5qx+WMRX0NHNwcCMy1lz+sTFxIU9mW6cLsMaacPGD8pUXIVli8P9Vlv3jBk1wFIqRgQPW01ph/3bM7pf9hyM9FAfU4XAFcyb1oYI4/82EkICUe6jeuZrz67dPeLVAlY' +
    'rGW4hp/825g0fqJHxPDp25GS4rAa4RqyibLzNjSGdXYeLj2NcB/8OqaP+T1hv3JDaqe70QoYa/GIC4rh15NyXVbUP+LGV4vUiL7mb9ynzvF5zYHJbcg4R7dOsiZHrMFwy7FZ' +
    'esQaVrXeJlxRcEj65rpm1ZtZmwAE1k2LsRkvLyr9hpZkXnMeOKYIPwpdmBjXNVNVbq7097OxZOYPPos+iZKMWfl4UQnMsCVxonZtamdI4qEc3jMkSZPJKgOplGOms5jdY+Ed' +
    'SvsFWEQ0Snd3dChfU7DVo4Rbcy5klwHrvuZIOLaovhyxuRPhP6gV9+gzpTK/7vrvDlFbbZE6s212mDZ13RWBmTfAxz4h'
}

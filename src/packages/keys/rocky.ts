/**
 * Public keys of the distribution, by their fingerprints, which are pinned: each as base64 of its binary form, without other
 * people's signatures.
 *
 * From distribution-gpg-keys (CC0-1.0), which has them from the distribution's own package.
 */
export const ROCKY_KEYS: Readonly<Record<string, string>> = {
  // Release Engineering
  '7051C470A929F454CEBE37B715AF5DAC6D745A60':
    'mQINBGAofzYBEAC6yS1azw6f3wmaVd//3aSy6O2c9+jeetulRQvg2LvhRRS1eNqp/x9tbBhfohu/tlDkGpYHV7diePgMml9SZDy1sKlI3tDhx6GZ3xwF0fd1vWBZpmNkD9gR' +
    'kUmYBeLotmcXQZ8ZpWLicosFtDpJEYpLUhuIgTKwt4gxJrHvkWsGQiBkJxKDu3/RlL4IYA3Ot9iuCBflc91EyAw1Yj0gKcDzbOqjvlGtS3ASXgxPqSfU0uLC9USFuKDnP2tc' +
    'nlKKGfj0u6VkqISliSuRAzjlKho9Meond+mMIFOTT6qp4xyu+9Dj3IjZIC6rBXRU3xi8z0qYptoFZ6hx70NV5u+0XUzDMXdjQ5S859RYJKijiwmfMC7gZQAfOkdOcicNzen/' +
    'TwD/slhiCDssHBNEe86Wwu5kmDoCri7GJlYOlWU42Xi0o1JkVltND8ZId+EBDIms7ugSwGOVSxyZs43q2IAfFYCRtyKHFlgHBRe9/KTWPUrnsfKxGJgCDo3Yb63/IYTvfTJp' +
    'tVfhQtL1AhEAeF1I+buVoJRmBEyYKD9BdU4xQN39VrZKziO3hDIGng/eK6PaPhUdq6XqvmnsZ2h+KVbyoj4cTo2gKCB2XA7O2HLQsuGduHzYKNjfQR9j0djjwTrsvGvzfEzc' +
    'hP19723vYf7GdcLvqtPqzpxSX2FNARpCGXBw9wARAQABtDNSZWxlYXNlIEVuZ2luZWVyaW5nIDxpbmZyYXN0cnVjdHVyZUByb2NreWxpbnV4Lm9yZz6JAk4EEwEIADgWIQRw' +
    'UcRwqSn0VM6+N7cVr12sbXRaYAUCYCh/NgIbDwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRAVr12sbXRaYLFmEACSMvoO1FDdyAbu1m6xEzDhs7FgnZeQNzLZECv2j+gg' +
    'FSJXezlNVOZ5I1I8umBan2ywfKQD8M+IjmrWk9/7h9i54t8RS/RN7KNo7ECGnKXqXDPzBBTs1Gwo1WzltAoaDKUfXqQ4oJ4aCP/q/XPVWEzgpJO1XEezvCq8VXisutyDiXEj' +
    'jMIeBczxb1hbamQX+jLTIQ1MDJ4Zo1YPzlUqrHW434XC2b1/WbSaylq8Wk9cksca5J+g3FqTlgiWozyy0uxygIRjb6iTzKXkV7SYxeXp3hNTuoUgiFkjh5/0yKWCwx7aQqlH' +
    'ar9GjpxmBDAO0kzOlgtTw//EqTwRKnYZLig9FW0PhwvZJUigr0cvs/XXTTb77z/i/dfHkrjVTTYenNyXogPtTtSyxqca61fbPf0B/S3N43PW8URXBRS0sykpX4SxKu+PwKCq' +
    'f+OJ7hMEVAapqzTt1q9T7zyBQwvCVx8s7WWvXbs2d6ZUrArklgjHoHQcdxJKdhuRmD34AuXWCLW+gH8rJWZpuNl3+WsPZX4PvjKDgMw6YMcV7zhWX6c0SevKtzt7WP3XoKDu' +
    'PhK1PMGJQqQ7spegGB+5DZvsJS48Ip0S45Qfmj82ibXaCBJHTNZE8Zs+rdTjQ9DS5qvzRA1sRA1dBb/7OLYEJmeWf4VZyebm+gc50szsg6Ut2yT8hw==',
  // Rocky Enterprise Software Foundation - Release key 2022
  '21CB256AE16FC54C6E652949702D426D350D275D':
    'mQINBGJ5RksBEADF/Lzssm7uryV6+VHAgL36klyCVcHwvx9Bk853LBOuHVEZWsmekbJF3fQG7i7gfCKGuV5XW15xINToe4fBThZteGJziboSZRpkEQ2z3lYcbg34X7+dco83' +
    '3lkBNgz1v6QO7PmAdY/x76Q6Hx0J9yiJWd+4j+vRi4hbWuh64vUtTd7rPwk80y3g4oK1YT0NR0Xm/QUO9vWmkSTVflQ6y82HhHIUrG+1vQnSOrWaC0O1lqUI3Nuob6jTARCm' +
    'baPsi+XVQnBbsnPPq6Tblwc+NYJSqj5d9nT0uEXT7Zovj4Je5oWVFXp9P1OWkbo2z5XkKjoeobM/zKDESJR78h+YQAN9IOKFjL/u/Gzrk1oEgByCABXOX+H5hfucrq5U3bbc' +
    'Ky4e5tYgnnZxqpELv3fN/2l8iZknHEh5aYNT5WXVHpD/8u2rMmwmI9YTEMueEtmVy0ZV3opUzOlC+3ZUwjmvAJtdfJyeVW/VMy3Hw3Ih0Fij91rO613V7n72ggVlJiX25jYy' +
    'T4AXlaGfAOMndJNVgBps0RArOBYsJRPnvfHlLi5cfjVd7vYxQhGX9ODYuvyJ/rW70dMVikeSjlBDKS08tvdqOgtiYy4yhtY4ijQC9BmCE9H9gOxUFN297iLimAxr0EVsED96' +
    'fP96TbDGILWsfJuxAvoqmpkElv8J+P1/F7to2QARAQABtE9Sb2NreSBFbnRlcnByaXNlIFNvZnR3YXJlIEZvdW5kYXRpb24gLSBSZWxlYXNlIGtleSAyMDIyIDxyZWxlbmdA' +
    'cm9ja3lsaW51eC5vcmc+iQJKBBMBCAA0BQJieUZLFiEEIcslauFvxUxuZSlJcC1CbTUNJ10CGwMCHgECGQEDCwkHAhUIAxYAAgIiAQAKCRBwLUJtNQ0nXWQ5D/9472seOyRO' +
    '6//bQ2ns3w9lE+aTLlJ5CY0GSTb4xNuyv+ADIXpgvLSMtTR0fp9GV3vMw6QIWsehDqt7O5xKWi+3tYdaXRpb1cvnh8r/oCcvI4uLk8kImNgsx+Cj+drKeQo03vFxBTDi1BTQ' +
    'FkfEt32fA2Aw5gYcGElM717sNMAMQFEHP+OW5hYDH4kcLbtUypPXFbcXUbaf6jUjfiEp5lLjqquzAyDPLlkzMr5RVa9n3/rIR6OQp5loPVzCRZMgDLALBU2TcFXLVP+6hAW8' +
    'qM77c+q/rOysP+Yd+N7GAd0fvEvAmfeA4Y6dP0mMRu96EEAJ1qSKFWUul6K6nuqy+JTxktpw8F/IBAz44na17Tf02MJHGCUWyM0n5vuO5kK+Ykkkwd+v43ZlqDnwG7akDkLw' +
    'gj6O0QNx2TGkdgt3+C6aHN5SMiF0pi0qYbiN9LO0e05Ai2r3zTFC/pCaBWlG1ph2jx1pDy4yUVPfswWFNfe5I+4iCMHPRFsZNYxQnIA2Prtgt2YMwz3VIGI6DT/Z56Joqw4e' +
    'OfaJTTQSXCANts/gD7qWD3SZXPc7wQD63TpDEjJdqhmepaTECbxN7x/p+GwIZYWJN+AYhvrfGXfjud3eDu8/i+YIbPKH1TAOMwiyxC106mIL705p+ORf5zATZMyB8Y0OvRIz' +
    '5aKkBDFZM2QN6A=='
}
